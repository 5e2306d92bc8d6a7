"""The report as a page: written, told from other files, and clicked through in a browser."""

from __future__ import annotations

import json
import re
import zipfile

from typing import TYPE_CHECKING
from typing import Any

import pytest

from tests.support.browser import EXECUTABLE
from tests.support.browser import Browser
from tests.support.projects import Locked
from tests.support.projects import Project
from tests.support.runner import bundle
from tests.support.runner import contents
from tests.support.wheels import make_wheel


if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.index import Index


needs_browser = pytest.mark.skipif(EXECUTABLE is None, reason="there is no Chromium here")

HOSTILE = "</script><img src=x onerror=alert(1)><!--&\u202egnp.py"
"""A file's name that would end the element that it stands in, load something, and turn the writing around."""


def stored(name: str, version: str, files: dict[str, str], **fields: Any) -> Any:
    return make_wheel(name, version, files, compression=zipfile.ZIP_STORED, **fields)


def data(page: Path) -> dict[str, Any]:
    """Return what a page knows."""
    (text,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page.read_text("utf-8"))
    value = json.loads(text)
    assert isinstance(value, dict)
    return value


@pytest.fixture
def service(project: Project, index: Index) -> Project:
    """Two functions, one of which needs more; a change since the bundle in old.zip."""
    native = {"native/__init__.py": "", "native/fast.abi3.so": "x" * 200_000, "native/tests/t.py": "t" * 9000}
    wheels = {
        stored("native", "1.0", native): ("helper",),
        stored("helper", "2.0", {f"helper/{HOSTILE}": "h" * 5000, "helper/deep/er/mod.py": "d" * 4000}): (),
    }
    index.add(*wheels)
    locked = [Locked.of(wheel, dependencies=dict.fromkeys(needs, "*")) for wheel, needs in wheels.items()]
    config = (
        'runtime = "python3.13"\n'
        "[tool.poetry-lambda-plugin.bundles.api]\nhandler = 'my_fn.handler'\n"
        '[tool.poetry-lambda-plugin.bundles.worker]\nexclude = ["@tests"]\nexclude-packages = ["helper"]\n'
    )
    project.write({"my_fn.py": "import native\n\ndef handler(event, context):\n    return 1\n"})
    project.pyproject(dependencies=["native"], source=index.url, config=config)
    project.lock(locked, source=index.url)
    with zipfile.ZipFile(project.folder / "old.zip", "w") as archive:
        archive.writestr("my_fn.py", "")
        archive.writestr("gone.py", "g" * 3000)
    return project


def test_page_tells_what_the_run_knows(service: Project) -> None:
    """The page is written beside the bundles; the text says where, and has no table of --explain."""
    outcome = bundle("--report", "out/size.html", "--diff", "old.zip")

    page = service.folder / "out/size.html"
    known = data(page)
    assert (outcome.exit_code, outcome.error) == (0, "")
    assert outcome.output.endswith(f"\n\nThe report is in {page}.\n")
    assert "Largest files" not in outcome.output
    assert [b["name"] for b in known["bundles"]] == ["api", "worker"]
    api, worker = known["bundles"]
    assert {p["name"]: p["way"] for p in api["packages"]} == {
        "helper": ["native", "helper"],
        "native": ["native"],
        "my-fn": [],
    }
    assert worker["leftOut"] == [["helper", "2.0", "excluded"]]
    assert sum(len(known["lists"][number]) for _, number in api["files"]) == api["total"][2]
    assert [[path for path, *_ in known["lists"][number]] for _, number in api["oldFiles"]] == [
        ["gone.py", "my_fn.py"]
    ]
    assert api["sha256"] in bundle("--dry-run").output


def test_page_is_the_same_each_time(service: Project) -> None:
    """Neither the time nor what was there before is in it; what would not change is not touched."""
    bundle("--report", "size.html")
    page = service.folder / "size.html"
    first, status = page.read_bytes(), page.stat()

    again = bundle("--report", "size.html")

    assert "is unchanged" in again.output
    assert page.read_bytes() == first
    assert page.stat().st_mtime_ns == status.st_mtime_ns


def test_foreign_names_are_no_markup(service: Project) -> None:
    """A name can end no element, and turn no writing around."""
    bundle("--report", "size.html")

    text = (service.folder / "size.html").read_text("utf-8")
    names = [path for list_ in data(service.folder / "size.html")["lists"] for path, *_ in list_]
    assert f"helper/{HOSTILE}".replace("\u202e", "?") in names
    assert text.count("</script>") == 2
    assert "onerror" in text
    assert "<img" not in text


def test_page_is_never_bundled(project: Project) -> None:
    """What runs have left among a project's files is no part of it; another page is."""
    project.pyproject(tool='[tool.poetry]\npackages = [{ include = "my_fn" }]')
    project.write({"my_fn/__init__.py": "", "my_fn/index.html": "<!DOCTYPE html>\n<p>mine"})
    project.lock()
    bundle("--report", "my_fn/size.html", "-o", "first.zip")

    bundle("-o", "second.zip")

    assert {p for p in contents(project.folder / "second.zip") if p.endswith("html")} == {"my_fn/index.html"}
    assert (project.folder / "first.zip").read_bytes() == (project.folder / "second.zip").read_bytes()


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        pytest.param("size.txt", "its name must end with .html", id="no-page"),
        pytest.param(
            "mine.html", "it is there and no report of this plugin, and would be lost", id="other-page"
        ),
        pytest.param("folder.html", "it is a folder", id="folder"),
        pytest.param("api.html", "api for python3.13 on x86_64 is to be written there", id="bundle"),
    ],
)
def test_refuses_to_replace_what_is_no_report(service: Project, page: str, reason: str) -> None:
    """It is said before anything is done, and nothing is lost."""
    service.write({"mine.html": "<!DOCTYPE html>\n<p>words", "folder.html/x": ""})

    outcome = bundle("api", "-o", "api.html", "--report", page)

    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The page can't be written to {service.folder / page}: {reason}. Choose another --report."
    )
    assert (service.folder / "mine.html").read_text() == "<!DOCTYPE html>\n<p>words"
    assert not (service.folder / "api.html").exists()


def test_page_of_a_bundle_that_is_too_large(service: Project) -> None:
    """When it is needed most it is there: nothing is written but the page, which says why above all else."""
    outcome = bundle("api", "--max-size", "100 KB", "--report", "size.html", "--format", "json")

    known = data(service.folder / "size.html")
    assert outcome.exit_code == 1
    assert known["error"] == json.loads(outcome.output)["error"]
    assert known["error"].startswith("Unzipped, api.zip has 0.2 MB; max-size allows 100 KB.")
    assert [b["state"] for b in known["bundles"]] == ["planned"]
    assert known["bundles"][0]["files"]
    assert not (service.folder / "dist").exists()


def test_page_in_the_folder_of_a_bundle(service: Project) -> None:
    """What lies in a bundle's own folder would be a stranger there at the next run."""
    outcome = bundle("api", "--unpacked", "dist/api", "--report", "dist/api/docs/size.html")

    folder = service.folder / "dist/api"
    assert outcome.exit_code == 1
    assert outcome.message == (
        f"The page can't be written to {folder}/docs/size.html: {folder} is to hold the files of api for "
        "python3.13 on x86_64 and no others. Choose another --report."
    )


def test_dry_run_writes_the_page_alone(service: Project) -> None:
    """A dry run writes no bundle, but what it was asked to tell of them, as far as it can be known."""
    bundle("api", "--dry-run", "--report", "unknown.html")
    bundle("api", "-o", "elsewhere.zip")

    bundle("api", "--dry-run", "--report", "known.html")

    assert not (service.folder / "dist").exists()
    unknown, known = (data(service.folder / f"{name}.html")["bundles"][0] for name in ("unknown", "known"))
    assert (unknown["files"], unknown["total"]) == (None, None)
    assert known["total"][2] == 15
    assert known["state"] == "planned"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with Browser() as browser:
        yield browser


def text(browser: Browser, selector: str) -> str:
    """Return what is read in the elements that a selector finds."""
    return str(
        browser(f"[...document.querySelectorAll({json.dumps(selector)})].map(e => e.innerText).join('\\n')")
    )


def focus(browser: Browser) -> str:
    """Return what a screen reader says of the element that has the focus."""
    return str(browser("document.activeElement.getAttribute('aria-label')"))


@needs_browser
def test_page_in_a_browser(service: Project, browser: Browser) -> None:
    """The map, the search, the tables and the chooser, by mouse and by keys; nothing else is loaded."""
    bundle("--report", "size.html", "--diff", "old.zip")
    browser.open(service.folder / "size.html")

    assert browser("document.title") == "api 0.1.0: what is in the bundle"
    assert text(browser, "#name") == "api my-fn 0.1.0"
    assert text(browser, ".box.top > b").split("\n")[:2] == ["native", "helper"]

    # into a package by a click, into a folder and out again by keys
    browser.click(".box.top > b")
    assert text(browser, "#crumbs").split("\n") == ["api.zip", "›", "native · 0.2 MB"]
    assert focus(browser).startswith("Folder native · 0.2 MB unzipped · 0.2 MB zipped · ")
    browser.press("Enter")
    assert focus(browser).startswith("native/fast.abi3.so · 0.2 MB unzipped · ")
    browser.press("ArrowRight")
    assert focus(browser).startswith("Folder native/tests · 8.8 KB unzipped · ")
    browser.press("Enter")
    assert text(browser, "#crumbs [aria-current]") == "tests · 8.8 KB"
    assert text(browser, "#told").startswith("native/tests/t.py · 8.8 KB unzipped · ")
    browser.press("Escape", "Escape", "Escape")
    assert focus(browser).startswith("Folder native 1.0 · ")

    # the search finds the name that would have been markup, and goes there
    browser.press("/")
    browser.press(*"onerror")
    assert text(browser, "#found p").startswith("1 file, 4.9 KB unzipped, ")
    assert browser("document.querySelectorAll('.box.hit').length") == 1
    browser.press("Enter", "Enter")
    assert focus(browser).startswith("helper/</script><img src=x")
    browser.press("/", "Escape")
    assert browser("document.querySelectorAll('.box.dim').length") == 0

    # before and after
    browser.click("#time input[value=before]")
    assert text(browser, ".box.top > b") == "my-fn"
    browser.click("#time input[value=after]")
    assert text(browser, "#changes tbody tr").split("\n")[0].split("\t")[:3] == ["native", "new", "1.0"]

    # the other bundle, its table and what it lacks
    browser(
        "(e => { e.value = 1; e.dispatchEvent(new Event('change')) })(document.getElementById('bundles'))"
    )
    assert text(browser, "#name") == "worker my-fn 0.1.0"
    assert text(browser, "#left-out li").split("\n") == ["helper 2.0", "native/tests/t.py (native)"]
    browser.click("#packages thead th:first-child button")
    assert text(browser, "#packages tbody th").split("\n") == ["my-fn", "native"]

    assert browser.failures() == []


@needs_browser
def test_page_without_sizes(service: Project, browser: Browser) -> None:
    """A dry run that lacks files has a page too: its packages, no map, and nothing that fails."""
    bundle("--dry-run", "--report", "size.html")
    browser.open(service.folder / "size.html")
    before = browser.failures()

    browser.press("/", *"native", "Escape", "Escape")

    assert (
        text(browser, "#map") == "Sizes and digest are unknown: not all files were at hand in this dry run."
    )
    cells = text(browser, "#packages tbody tr").split("\t")
    assert cells[:4] == ["helper", "2.0", "?", "?"]
    assert browser.failures() == before


@needs_browser
def test_page_of_bundles_of_which_one_failed(service: Project, browser: Browser) -> None:
    """Each bundle has its place in the chooser, that which could not be made with the reason why."""
    pyproject = service.folder / "pyproject.toml"
    pyproject.write_text(pyproject.read_text().replace('["@tests"]', '["@tests"]\nhandler = "gone.handler"'))

    outcome = bundle("--report", "size.html")
    known = data(service.folder / "size.html")
    browser.open(service.folder / "size.html")
    browser(
        "(e => { e.value = 1; e.dispatchEvent(new Event('change')) })(document.getElementById('bundles'))"
    )

    reason = "worker for python3.13 on x86_64 could not be made: The handler 'gone.handler' needs the module"
    assert outcome.exit_code == 1
    assert known["error"].startswith(reason)
    assert [(b["name"], b["state"]) for b in known["bundles"]] == [("api", "made"), ("worker", "failed")]
    assert text(browser, "#bundles option").split("\n") == ["api · x86_64", "worker · x86_64 · failed"]
    assert text(browser, ".alert.error").split("\n")[:2] == [known["error"], "This bundle was not written."]
    assert text(browser, "#figures") == "It was not made, so there are no sizes."
    assert browser.failures() == []


@needs_browser
def test_page_runs_no_script_but_its_own(service: Project, browser: Browser) -> None:
    """What slipped in by a mistake of ours would be refused by the browser."""
    bundle("api", "--report", "size.html")
    browser.open(service.folder / "size.html")

    browser("document.body.append(Object.assign(document.createElement('script'), {text: 'window.ran = 1'}))")
    browser(
        "document.body.insertAdjacentHTML('beforeend', '<img src=http://127.0.0.1:9/x onerror=window.ran=1>')"
    )

    assert browser("window.ran === undefined")
    browser.wait(
        lambda: len([words for words in browser.failures() if "Content Security Policy" in words]) >= 2
    )


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_page_follows_the_users_scheme(service: Project, browser: Browser, scheme: str) -> None:
    """It is dark where the user wants that, and white on paper in any case."""
    bundle("api", "--report", "size.html")
    browser.prefer(scheme)
    browser.open(service.folder / "size.html")

    def brightness() -> int:
        colour = browser("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, re.findall(r"\d+", colour)[:3]))

    assert (brightness() > 384) == (scheme == "light")
    browser.prefer(scheme, "print")
    assert brightness() == 765
    browser.prefer("light")


@needs_browser
def test_large_page_opens_in_a_second(tmp_path: Path, browser: Browser) -> None:
    """8,000 files, as the largest bundles have, are drawn before anybody waits."""
    from poetry_lambda_plugin.archive.writer import Sizes
    from poetry_lambda_plugin.audit.savings import Savings
    from poetry_lambda_plugin.report.bundle_report import Explanation
    from poetry_lambda_plugin.report.bundle_report import FileReport
    from poetry_lambda_plugin.report.page import report_page
    from tests.support.values import bundle_report
    from tests.support.values import digest
    from tests.support.values import package_report

    files = [
        FileReport(f"p{n % 40}/f{n % 13}/m{n}.py", n, 3 * n + n**2 % 9973, f"p{n % 40}")
        for n in range(1, 8001)
    ]
    explanation = Explanation(
        paths={}, savings=Savings({}), largest_files=(), unimported=(), files=tuple(sorted(files))
    )
    packages = [package_report(f"p{n}", (1, 1, 200)) for n in range(40)]
    report = bundle_report(*packages, digest=digest(Sizes(1, 1, 8000)), explanation=explanation)
    (tmp_path / "page.html").write_bytes(report_page([report]))

    def milliseconds() -> float:
        browser.open(tmp_path / "page.html")
        return float(browser("performance.getEntriesByType('navigation')[0].loadEventEnd"))

    # a machine may be busy with other things now and then
    assert any(milliseconds() < 1000 for _ in range(5))
    assert browser("document.querySelectorAll('.box').length") > 500
