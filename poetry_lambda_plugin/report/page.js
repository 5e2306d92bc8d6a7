
"use strict";
(() => {
const page = JSON.parse(document.getElementById("data").textContent);
const at = (id) => document.getElementById(id);

/** Make an element; strings are text, never markup. */
function make(tag, attributes = {}, ...inside) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name, value);
    else if (value !== false && value != null) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...inside.filter((item) => item != null));
  return element;
}

const MB = 1048576;
const number = (count) => count.toLocaleString("en-US");
const size = (bytes) => (bytes < MB / 10 ? `${(bytes / 1024).toFixed(1)} KB` : `${(bytes / MB).toFixed(1)} MB`);
const round = (bytes) => size(bytes).replace(".0 ", " ");
const signed = (bytes) => `${bytes < 0 ? "−" : "+"}${size(Math.abs(bytes))}`;
const share = (part, whole) => (whole ? `${((100 * part) / whole).toFixed(1)} %` : "");
const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;
const percent = (part, whole) => `${Math.min(100, (100 * part) / whole).toFixed(3)}%`;

/* ---- The files as a tree ---- */

const DEEPEST = 60;
const KINDS = {
  source: "Python source", compiled: "Compiled code", bytecode: "Bytecode", metadata: "Metadata", other: "Other files",
};
const CHANGES = { new: "New", grown: "Larger", same: "As large as before", shrunk: "Smaller", gone: "Gone" };

function kindOf(path) {
  if (/(^|\/)[^/]+\.dist-info\//.test(path)) return "metadata";
  if (/\.(so|dylib)(\.|$)|\.(pyd|dll|a|lib|exe)$/i.test(path)) return "compiled";
  if (/\.pyc$/.test(path)) return "bytecode";
  return /\.pyi?$/.test(path) ? "source" : "other";
}

function folder(name, parent, path) {
  return { name, parent, path, children: [], inside: new Map(), zipped: 0, unzipped: 0, files: 0, was: 0 };
}

/** Build the tree of a bundle's files, package by package; `others` has the sizes of the other time, by path. */
function treeOf(rows, others, isOld, name, versions) {
  const root = folder(name, null, "");
  for (const [owner, list] of rows) {
    const label = owner || "(other files)";
    const pack = folder(label, root, label);
    pack.isPackage = true;
    pack.version = versions.get(owner);
    root.children.push(pack);
    for (const [path, zipped, unzipped] of page.lists[list]) addFile(pack, path, zipped, unzipped, others, isOld);
    settle(pack);
  }
  sum(root);
  return root;
}

function addFile(pack, path, zipped, unzipped, others, isOld) {
  const parts = path.split("/");
  let parent = pack;
  while (parts.length > 1 && parent.depth !== DEEPEST) {
    const part = parts.shift();
    let next = parent.inside.get(part);
    if (!next) {
      next = folder(part, parent, parent === pack ? part : `${parent.path}/${part}`);
      next.depth = (parent.depth || 0) + 1;
      parent.inside.set(part, next);
      parent.children.push(next);
    }
    parent = next;
  }
  const other = others && others.get(path);
  let change = null;
  if (others) {
    const [before, after] = isOld ? [unzipped, other && other[1]] : [other && other[1], unzipped];
    change = before === undefined ? "new" : after === undefined ? "gone"
      : after > before ? "grown" : after < before ? "shrunk" : "same";
  }
  parent.children.push({
    name: parts.join("/"), parent, path, zipped, unzipped, files: 1, kind: kindOf(path), change, was: other ? other[1] : 0,
  });
}

/** Let a folder that holds nothing but a folder be one with it, and add up what is below. */
function settle(node) {
  for (const child of node.children) if (child.children) settle(child);
  if (node.children.length === 1 && node.children[0].children) {
    const only = node.children[0];
    if (!node.isPackage) {
      node.name += `/${only.name}`;
      node.path = only.path;
    }
    node.children = only.children;
    for (const child of node.children) child.parent = node;
  }
  sum(node);
}

function sum(node) {
  node.zipped = node.unzipped = node.files = node.was = 0;
  const kinds = {};
  const changes = {};
  for (const child of node.children) {
    node.zipped += child.zipped;
    node.unzipped += child.unzipped;
    node.files += child.files;
    node.was += child.was;
    kinds[child.kind] = (kinds[child.kind] || 0) + child.unzipped;
    changes[child.change] = (changes[child.change] || 0) + child.unzipped;
  }
  node.kind = most(kinds);
  node.change = node.isPackage || node.parent ? most(changes) : null;
  node.inside = null;
}

const most = (sums) => Object.keys(sums).reduce((best, name) => (sums[name] > sums[best] ? name : best), Object.keys(sums)[0]);

function* leavesOf(node) {
  if (!node.children) yield node;
  else for (const child of node.children) yield* leavesOf(child);
}

/* ---- The map: rectangles as near to squares as they can be, row by row (Bruls, Huizing, van Wijk 2000) ---- */

function squarify(nodes, weight, x, y, width, height, place) {
  const total = nodes.reduce((sum, node) => sum + weight(node), 0);
  const scale = (width * height) / total;
  let start = 0;
  while (start < nodes.length && width > 0 && height > 0) {
    const side = Math.min(width, height);
    const largest = weight(nodes[start]) * scale;
    let end = start, area = 0, worst = Infinity;
    for (; end < nodes.length; end++) {
      const next = weight(nodes[end]) * scale;
      const sum = area + next;
      const ratio = Math.max((side * side * largest) / (sum * sum), (sum * sum) / (side * side * next));
      if (ratio > worst) break;
      worst = ratio;
      area = sum;
    }
    const thick = area / side;
    let along = 0;
    for (const node of nodes.slice(start, end)) {
      const long = (weight(node) * scale) / thick;
      if (width >= height) place(node, x, y + along, thick, long);
      else place(node, x + along, y, long, thick);
      along += long;
    }
    if (width >= height) { x += thick; width -= thick; } else { y += thick; height -= thick; }
    start = end;
  }
}

const HEAD = 18;
const SMALLEST = 3;

const state = { bundle: null, root: null, node: null, measure: "unzipped", time: "after", colour: "kind", query: "" };
let boxes = new Map();
let hits = null;

const weight = (node) => node[state.measure];
const sorted = (node) => node.children.filter((child) => weight(child) > 0)
  .sort((a, b) => weight(b) - weight(a) || (a.name < b.name ? -1 : 1));

function drawMap() {
  const map = at("map");
  const { clientWidth: width, clientHeight: height } = map;
  boxes = new Map();
  const drawn = document.createDocumentFragment();
  const draw = (parent, x, y, w, h, level) => squarify(sorted(parent), weight, x, y, w, h, (node, left, top, wide, high) => {
    if (wide < SMALLEST || high < SMALLEST) return;
    const isOpen = node.children && wide > 44 && high > HEAD + 16;
    drawn.append(box(node, level, isOpen, left, top, wide, high, width, height));
    if (isOpen) draw(node, left + 3, top + HEAD, wide - 6, high - HEAD - 3, level + 1);
  });
  if (state.node && weight(state.node)) draw(state.node, 0, 0, width, height, 0);
  else drawn.append(make("p", { class: "empty muted" }, unknown(state.bundle)));
  map.replaceChildren(drawn);
  drawCrumbs();
  markHits();
}

function box(node, level, isOpen, left, top, wide, high, width, height) {
  const tone = state.colour === "change" ? node.change : node.kind;
  const hasName = wide > 34 && high > 15;
  const classes = ["box", isOpen ? "open" : "leaf", tone, node.children && "folder", level === 0 && "top", hasName && "named", high > 38 && !isOpen && "tall"];
  const element = make("div", { class: classes.filter(Boolean).join(" ") });
  if (hasName) element.append(make("b", { "aria-hidden": "true" }, node.name));
  if (hasName && (wide > 120 || (high > 38 && !isOpen && wide > 52))) element.append(make("em", { "aria-hidden": "true" }, size(weight(node))));
  Object.assign(element.style, {
    left: percent(left, width), top: percent(top, height), width: percent(wide, width), height: percent(high, height),
  });
  if (level === 0) {
    element.tabIndex = boxes.size ? -1 : 0;
    element.setAttribute("role", node.children ? "button" : "img");
    element.setAttribute("aria-label", `${node.children ? "Folder " : ""}${tale(node)}`);
    element.rect = { left, top, right: left + wide, bottom: top + high };
  } else {
    element.setAttribute("aria-hidden", "true");
  }
  element.node = node;
  boxes.set(node, element);
  return element;
}

/** Say in a line what a part of the bundle is. */
function tale(node) {
  const facts = [`${size(node.unzipped)} unzipped`, `${size(node.zipped)} zipped`, share(weight(node), weight(state.root))];
  if (node.children) facts.push(counted(node.files, "file"));
  else facts.push(KINDS[node.kind]);
  if (node.change && !node.children) {
    facts.push(node.was && node.was !== node.unzipped
      ? `${CHANGES[node.change].toLowerCase()}: ${size(state.time === "after" ? node.was : node.unzipped)} before, ${size(state.time === "after" ? node.unzipped : node.was)} now`
      : CHANGES[node.change].toLowerCase());
  }
  const name = node.isPackage ? `${node.name}${node.version ? ` ${node.version}` : ""}` : node.path || node.name;
  return `${name} · ${facts.filter(Boolean).join(" · ")}`;
}

const tell = (node) => { at("told").textContent = node ? tale(node) : ""; };

function drawCrumbs() {
  const way = [];
  for (let node = state.node; node; node = node.parent) way.unshift(node);
  const crumbs = way.flatMap((node, index) => [
    index ? make("i", { "aria-hidden": "true" }, "›") : null,
    node === state.node
      ? make("span", { "aria-current": "location" }, `${node.name} · ${size(weight(node))}`)
      : make("button", { type: "button", click: () => zoom(node, way[index + 1]) }, node.name),
  ]);
  at("crumbs").replaceChildren(...crumbs.filter(Boolean));
}

/** Show a part of the tree, with the focus on one of its own parts. */
function zoom(node, focused) {
  state.node = node;
  drawMap();
  tell(node.parent ? node : null);
  if (focused !== undefined) focusOn(focused || sorted(node)[0]);
}

function focusOn(node) {
  const element = boxes.get(node);
  if (!element || !element.rect) return;
  for (const other of at("map").querySelectorAll("[tabindex='0']")) other.tabIndex = -1;
  element.tabIndex = 0;
  element.focus({ preventScroll: true });
}

/** Come out of a folder. */
function leave() {
  if (state.node.parent) zoom(state.node.parent, state.node);
}

function show(node) {
  const inner = node.children ? node : node.parent;
  zoom(inner, node.children ? null : node);
  at("explorer").scrollIntoView({ block: "nearest" });
}

/** Return the part that lies next in a direction. */
function neighbour(from, key) {
  const { left, top, right, bottom } = from.rect;
  const isLevel = key === "ArrowLeft" || key === "ArrowRight";
  let best = null, least = Infinity;
  for (const element of boxes.values()) {
    const r = element.rect;
    if (!r || element === from) continue;
    const gap = { ArrowRight: r.left - right, ArrowLeft: left - r.right, ArrowDown: r.top - bottom, ArrowUp: top - r.bottom }[key];
    if (gap < -1) continue;
    const [a, b, c, d] = isLevel ? [top, bottom, r.top, r.bottom] : [left, right, r.left, r.right];
    const aside = Math.max(0, c - b, a - d);
    const distance = gap + 4 * aside + Math.abs(a - c) / 1000;
    if (distance < least) { least = distance; best = element; }
  }
  return best;
}

function onMapKey(event) {
  const element = event.target;
  if (event.altKey || event.ctrlKey || event.metaKey) return;
  if (event.key === "Enter" || event.key === " ") { if (element.node && element.node.children) zoom(element.node, null); }
  else if (event.key === "Escape" || event.key === "Backspace") leave();
  else if (event.key === "Home" || event.key === "End") focusOn(sorted(state.node).filter((n) => boxes.has(n)).at(event.key === "Home" ? 0 : -1));
  else if (event.key.startsWith("Arrow") && element.rect) { const next = neighbour(element, event.key); if (next) focusOn(next.node); }
  else return;
  event.preventDefault();
}

/* ---- Search ---- */

function search(query) {
  state.query = query.trim().toLowerCase();
  hits = null;
  const found = at("found");
  found.hidden = !state.query;
  if (state.query && state.root) {
    hits = new Set();
    const files = [];
    for (const leaf of leavesOf(state.root)) {
      let top = leaf;
      while (!top.isPackage) top = top.parent;
      if (!leaf.path.toLowerCase().includes(state.query) && !top.name.toLowerCase().includes(state.query)) continue;
      files.push(leaf);
      for (let node = leaf; node && !hits.has(node); node = node.parent) hits.add(node);
    }
    files.sort((a, b) => weight(b) - weight(a) || (a.path < b.path ? -1 : 1));
    const total = files.reduce((sum, file) => sum + weight(file), 0);
    found.replaceChildren(
      make("p", { role: "status" }, files.length ? `${counted(files.length, "file")}, ${size(total)} ${state.measure}, ${share(total, weight(state.root))} of the bundle` : "Nothing has such a name."),
      make("ol", {}, ...files.slice(0, 60).map((file) => make("li", {}, make("button", { type: "button", click: () => show(file) }, make("span", {}, file.path), make("em", {}, size(weight(file))))))),
    );
  }
  markHits();
  for (const row of at("packages").querySelectorAll("tbody tr")) row.hidden = !isFound(row.name);
}

function isFound(name) {
  if (!state.query || name.toLowerCase().includes(state.query)) return true;
  return hits !== null && [...state.root.children].some((node) => node.name === name && hits.has(node));
}

function markHits() {
  for (const [node, element] of boxes) {
    element.classList.toggle("dim", hits !== null && !hits.has(node));
    element.classList.toggle("hit", hits !== null && element.classList.contains("leaf") && hits.has(node));
  }
}

/* ---- Tables ---- */

/** Make a table whose heads sort it; a cell is text, an element, or [what it is sorted by, what is shown]. */
function table(caption, more, heads, rows, order) {
  const body = make("tbody");
  const by = (cell) => (Array.isArray(cell) ? cell[0] : cell);
  const fill = (column, isDown) => {
    const ordered = [...rows].sort((a, b) => {
      const [one, other] = [by(a.cells[column]), by(b.cells[column])];
      const way = typeof one === "number" ? one - other : String(one) < String(other) ? -1 : String(one) > String(other) ? 1 : 0;
      return isDown ? -way : way;
    });
    body.replaceChildren(...ordered.map((row) => row.element));
    heads.forEach((head, index) => head.element.setAttribute("aria-sort", index === column ? (isDown ? "descending" : "ascending") : "none"));
  };
  heads.forEach((head, column) => {
    const click = () => fill(column, head.element.getAttribute("aria-sort") === "none" ? Boolean(head.number) : head.element.getAttribute("aria-sort") === "ascending");
    head.element = make("th", { scope: "col", class: head.number && "number" }, make("button", { type: "button", click }, head.name));
  });
  for (const row of rows) {
    row.element = make("tr", {}, ...row.cells.map((cell, column) => make(
      column ? "td" : "th",
      { class: [heads[column].number && "number", heads[column].class].filter(Boolean).join(" ") || null, scope: column ? null : "row" },
      ...[Array.isArray(cell) ? cell.slice(1) : cell].flat(),
    )));
    row.element.name = row.name;
  }
  fill(...order);
  return make("div", { class: "scroll" }, make("table", {}, make("caption", {}, caption, more ? make("small", {}, more) : null), make("thead", {}, make("tr", {}, ...heads.map((head) => head.element))), body));
}

const bytes = (count) => [count ?? -1, count == null ? "?" : size(count)];
const gained = (count) => [count, make("span", { class: count > 0 ? "more" : count < 0 ? "less" : "muted" }, count ? signed(count) : "0")];

function packageTable(bundle) {
  const total = bundle.total ? bundle.total[1] : 0;
  const changes = new Map((bundle.differences || []).map((row) => [row[0], row]));
  const heads = [{ name: "Package" }, { name: "Version" }, { name: "Zipped", number: true }, { name: "Unzipped", number: true }, { name: "Share", number: true }, { name: "Files", number: true }];
  if (bundle.differences) heads.push({ name: "Change", number: true });
  if (bundle.savings) heads.push({ name: "Why", class: "way" });
  const rows = bundle.packages.map((pack) => {
    const [zipped, unzipped, files] = pack.sizes || [null, null, null];
    const node = state.root && state.root.children.find((child) => child.name === pack.name);
    const name = node ? make("button", { type: "button", title: pack.from, click: () => showPackage(pack.name) }, pack.name) : make("span", { title: pack.from }, pack.name);
    const gauge = make("span", { class: "share", "aria-hidden": "true" }, make("i"));
    gauge.firstChild.style.width = percent(unzipped || 0, total || 1);
    const cells = [[pack.name, name], pack.version, bytes(zipped), bytes(unzipped), [unzipped || 0, share(unzipped || 0, total), gauge], [files ?? -1, files == null ? "?" : number(files)]];
    if (bundle.differences) { const change = changes.get(pack.name); cells.push(gained(change ? change[4] : 0)); }
    if (bundle.savings) cells.push(["the project", ...pack.way].join(" → "));
    return { name: pack.name, cells };
  });
  return table("Packages", `${counted(rows.length, "package")}${bundle.savings ? "; why: by which way the project needs it" : ""}`, heads, rows, [total ? 3 : 0, Boolean(total)]);
}

function showPackage(name) {
  if (state.time === "before") setTime("after");
  const node = state.root.children.find((child) => child.name === name);
  if (node) show(node);
}

function changeTable(bundle) {
  const rows = bundle.differences.map(([name, before, now, zipped, unzipped]) => ({
    name, cells: [name, before || "new", now || "gone", gained(zipped), gained(unzipped)],
  }));
  const heads = [{ name: "Package" }, { name: "Before" }, { name: "Now" }, { name: "Zipped", number: true }, { name: "Unzipped", number: true }];
  if (!rows.length) return [make("h2", {}, "Since the other bundle"), make("p", {}, "No package differs in version or size.")];
  return [table("Since the other bundle", counted(rows.length, "package"), heads, rows, [4, true])];
}

function savingTable(bundle) {
  const rows = bundle.savings.map(([option, zipped, unzipped, remark]) => ({ cells: [[option, make("code", {}, option)], bytes(zipped), bytes(unzipped), remark] }));
  const heads = [{ name: "Not used yet" }, { name: "Zipped", number: true }, { name: "Unzipped", number: true }, { name: "Remark" }];
  const parts = rows.length ? [table("What could be saved", "measured on this bundle; savings may overlap", heads, rows, [2, true])] : [];
  if (bundle.unimported.length) {
    parts.push(make("p", { class: "alert note" }, `Nothing else in the bundle imports ${bundle.unimported.join(", ")}: is it needed? (Plugins and drivers may be loaded by name.)`));
  }
  return parts;
}

function leftOutParts(bundle) {
  const reasons = new Map();
  const gather = (reason, line) => (reasons.get(reason) || reasons.set(reason, []).get(reason)).push(line);
  for (const [name, version, reason] of bundle.leftOut) gather(`Packages: ${reason}`, `${name} ${version}`);
  for (const pack of bundle.packages) for (const [path, reason] of page.lists[pack.leftOut]) gather(`Files: ${reason}`, `${path} (${pack.name})`);
  if (!reasons.size) return [];
  return [make("h2", {}, "What was left out"), ...[...reasons].map(([reason, lines]) => {
    const list = () => {
      if (details.open && !details.querySelector("ul")) details.append(make("ul", {}, ...lines.map((line) => make("li", {}, line))));
    };
    const details = make("details", { toggle: list }, make("summary", {}, `${reason} `, make("span", { class: "muted" }, number(lines.length))));
    if (lines.length <= 12) { details.open = true; list(); }
    return details;
  })];
}

/* ---- The rest of the page ---- */

function figures(bundle) {
  const { total, limits, layers } = bundle;
  if (!total) return [make("p", {}, unknown(bundle))];
  const gain = (column) => (bundle.differences || []).reduce((sum, row) => sum + row[column], 0);
  const parts = bundle.isFolder ? [] : [
    figure("Zipped", size(total[0]), gain(3), total[0], limits.zipped, "large", total[0] < limits.zipped ? "" : "for Lambda's API: S3 takes it"),
  ];
  parts.push(
    figure("Unzipped", size(total[1]), gain(4), total[1] + layers, limits.unzipped, "over", layers ? `with ${size(layers)} in layers` : ""),
    figure("Files", number(total[2])),
  );
  if (bundle.sha256) parts.push(figure("CodeSha256", bundle.sha256));
  if (bundle.bytecode) parts.push(figure("Bytecode", bundle.bytecode));
  return parts;
}

/** Say why there are no sizes. */
const unknown = (bundle) => (bundle.state === "failed" ? "It was not made, so there are no sizes."
  : "Sizes and digest are unknown: not all files were at hand in this dry run.");

function figure(name, value, delta, used, limit, excess, remark) {
  const parts = [make("span", { class: "muted" }, name), make("b", { class: value.length > 14 && "long" }, value, delta ? make("span", { class: `delta ${delta > 0 ? "more" : "less"}` }, signed(delta)) : null)];
  if (limit) {
    const gauge = make("div", { class: "gauge", role: "img", "aria-label": `${share(used, limit)} of ${round(limit)}` }, make("i"));
    gauge.firstChild.style.width = percent(used, limit);
    parts.push(gauge, make("span", { class: "muted" }, `${share(used, limit)} of ${round(limit)}${remark ? ` ${remark}` : ""}`));
  } else if (used !== undefined) parts.push(make("span", { class: "muted" }, "no limit"));
  return make("div", { class: `figure ${limit && used >= limit ? excess : ""}` }, ...parts);
}

function alerts(bundle) {
  const parts = [];
  if (page.error) parts.push(make("p", { class: "alert error", role: "alert" }, ...prose(page.error)));
  if (bundle.state === "planned" && !page.error) parts.push(make("p", { class: "alert note" }, "A dry run: this bundle was not written."));
  if (bundle.state === "failed") parts.push(make("p", { class: "alert error" }, "This bundle was not written."));
  if (bundle.error && bundle.error !== page.error) parts.push(make("p", { class: "alert error" }, ...prose(bundle.error)));
  for (const [severity, code, message] of bundle.findings) {
    const label = severity === "error" ? "Error" : "Warning";
    parts.push(make("p", { class: `alert ${severity}` }, make("b", {}, `${label} ${code}: `), ...prose(message)));
  }
  for (const note of bundle.notes) parts.push(make("p", { class: "alert note" }, make("b", {}, "Note: "), ...prose(note)));
  return parts;
}

/** Show what stands between backquotes as code. */
function prose(text) {
  const parts = text.split("`");
  return parts.length % 2 ? parts.map((part, index) => (index % 2 ? make("code", {}, part) : part)) : [text];
}

function choices(id, name, options, chosen, change) {
  const field = at(id);
  field.replaceChildren(field.querySelector("legend"), ...Object.entries(options).map(([value, text]) => make("label", {},
    make("input", { type: "radio", name, value, checked: value === chosen, change: () => change(value) }), make("span", {}, text))));
}

function drawLegend() {
  const tones = state.colour === "change" ? CHANGES : KINDS;
  const used = new Set(state.root ? [...leavesOf(state.root)].map((leaf) => (state.colour === "change" ? leaf.change : leaf.kind)) : []);
  at("legend").replaceChildren(...Object.entries(tones).filter(([tone]) => used.has(tone)).map(([tone, words]) => make("li", { class: tone }, make("i"), words)));
}

function setTime(time) {
  const { bundle } = state;
  state.time = time;
  const isOld = time === "before";
  const sizes = (rows) => new Map(rows.flatMap(([, list]) => page.lists[list].map(([path, zipped, unzipped]) => [path, [zipped, unzipped]])));
  const other = bundle.oldFiles && sizes(isOld ? bundle.files : bundle.oldFiles);
  const versions = new Map(isOld ? (bundle.differences || []).map((row) => [row[0], row[1]]) : []);
  for (const pack of bundle.packages) if (!versions.has(pack.name)) versions.set(pack.name, pack.version);
  state.root = bundle.files && treeOf(isOld ? bundle.oldFiles : bundle.files, other, isOld, isOld ? "before" : bundle.output, versions);
  state.node = state.root;
  for (const input of at("time").querySelectorAll("input")) input.checked = input.value === time;
  refresh();
}

function refresh() {
  drawLegend();
  drawMap();
  tell(null);
  if (state.query) search(state.query);
}

function fill(id, parts) {
  at(id).replaceChildren(...parts);
  at(id).hidden = !parts.length;
}

function choose(bundle) {
  state.bundle = bundle;
  state.colour = bundle.oldFiles ? "change" : "kind";
  at("name").replaceChildren(bundle.name, " ", make("small", {}, bundle.name === bundle.project ? bundle.version : `${bundle.project} ${bundle.version}`));
  at("target").textContent = [bundle.output, [bundle.runtime, bundle.architecture].filter(Boolean).join(" on "), bundle.handler && `handler ${bundle.handler}`].filter(Boolean).join(" · ");
  document.title = `${bundle.name} ${bundle.version}: what is in the bundle`;
  fill("alerts", alerts(bundle));
  fill("figures", figures(bundle));
  choices("measure", "measure", { unzipped: "Unzipped", zipped: "Zipped" }, state.measure, (value) => { state.measure = value; refresh(); });
  choices("time", "time", { before: "Before", after: "After" }, "after", setTime);
  choices("colour", "colour", { kind: "By kind", change: "By change" }, state.colour, (value) => { state.colour = value; refresh(); });
  at("time").hidden = at("colour").hidden = !bundle.oldFiles;
  setTime("after");
  fill("changes", bundle.differences ? changeTable(bundle) : []);
  fill("packages", bundle.packages.length ? [packageTable(bundle)] : []);
  fill("savings", bundle.savings ? savingTable(bundle) : []);
  fill("left-out", leftOutParts(bundle));
  if (state.query) search(state.query);
}

function setTheme(isDark) {
  document.documentElement.classList.toggle("dark", isDark);
  at("theme").textContent = isDark ? "Light" : "Dark";
}

function listen() {
  const map = at("map");
  map.addEventListener("keydown", onMapKey);
  map.addEventListener("focusin", (event) => tell(event.target.node));
  map.addEventListener("click", (event) => {
    const { node } = event.target.closest(".box") || {};
    if (!node) return;
    if (node.children) zoom(node, null);
    else if (node.parent !== state.node) zoom(node.parent, node);
    else { focusOn(node); tell(node); }
  });
  const tip = at("tip");
  map.addEventListener("pointermove", (event) => {
    const over = event.target.closest(".box");
    tip.hidden = !over;
    if (!over) return;
    tip.textContent = tale(over.node);
    tip.style.left = `${Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 8)}px`;
    tip.style.top = `${event.clientY + 18 + tip.offsetHeight > innerHeight ? event.clientY - tip.offsetHeight - 10 : event.clientY + 18}px`;
  });
  map.addEventListener("pointerleave", () => { tip.hidden = true; });
  const field = at("search");
  field.addEventListener("input", () => search(field.value));
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") { field.value = ""; search(""); if (state.node) focusOn(sorted(state.node)[0]); }
    else if (event.key === "Enter" || event.key === "ArrowDown") at("found").querySelector("button")?.focus();
    else return;
    event.preventDefault();
  });
  at("found").addEventListener("keydown", (event) => {
    const lines = [...at("found").querySelectorAll("button")];
    const next = lines.indexOf(document.activeElement) + { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Escape" || next === -1) field.focus();
    else if (lines[next]) lines[next].focus();
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.key === "/" && event.target !== field) { field.focus(); event.preventDefault(); }
    else if (event.key === "Escape" && event.target !== field && state.node) leave();
  });
  at("theme").addEventListener("click", () => setTheme(!document.documentElement.classList.contains("dark")));
  let timer = 0;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(drawMap, 80); });
}

function start() {
  setTheme(matchMedia("(prefers-color-scheme: dark)").matches);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => setTheme(event.matches));
  if (!page.bundles.length) {
    fill("alerts", [make("p", { class: "alert error" }, page.error || "There is no bundle to tell of.")]);
    for (const section of document.querySelectorAll("main > section")) section.hidden = true;
    return;
  }
  page.bundles.forEach((bundle, index) => at("bundles").append(make("option", { value: index }, [bundle.name, bundle.architecture, bundle.state === "failed" && "failed"].filter(Boolean).join(" · "))));
  at("chooser").hidden = page.bundles.length < 2;
  at("bundles").addEventListener("change", (event) => choose(page.bundles[event.target.value]));
  listen();
  choose(page.bundles[0]);
}

start();
})();
