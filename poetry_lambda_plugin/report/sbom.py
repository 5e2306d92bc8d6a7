"""What a bundle really holds, as CycloneDX 1.6 (ECMA-424): the same bytes for the same bundle.

A document has no time, its serial number comes from its content, and every list and key is sorted, so that
neither a host nor a release of the library that writes it changes a byte.
"""

from __future__ import annotations

import json
import re

from collections import Counter
from email.parser import HeaderParser
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL
from uuid import uuid5

from cyclonedx.model import ExternalReference
from cyclonedx.model import ExternalReferenceType
from cyclonedx.model import HashAlgorithm
from cyclonedx.model import HashType
from cyclonedx.model import Property
from cyclonedx.model import XsUri
from cyclonedx.model.bom import Bom
from cyclonedx.model.bom import BomMetaData
from cyclonedx.model.component import Component
from cyclonedx.model.component import ComponentType
from cyclonedx.model.license import DisjunctiveLicense
from cyclonedx.model.license import LicenseAcknowledgement
from cyclonedx.model.license import LicenseExpression
from cyclonedx.model.tool import ToolRepository
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from poetry_lambda_plugin.report.licences import licences
from poetry_lambda_plugin.report.origins import origin_of
from poetry_lambda_plugin.report.origins import qualifiers
from poetry_lambda_plugin.selection.choice import LockedWheel


if TYPE_CHECKING:
    from collections.abc import Iterable
    from collections.abc import Iterator
    from collections.abc import Mapping
    from collections.abc import Sequence
    from email.message import Message
    from pathlib import Path
    from typing import TypeAlias

    from cyclonedx.model.license import License

    from poetry_lambda_plugin.layout.plan import BundlePlan
    from poetry_lambda_plugin.layout.plan import PlannedDistribution
    from poetry_lambda_plugin.report.licences import Licence
    from poetry_lambda_plugin.selection.choice import Choice
    from poetry_lambda_plugin.selection.locked import LockedFile
    from poetry_lambda_plugin.stages.selected import Selected
    from poetry_lambda_plugin.stages.written import Written

    Attached: TypeAlias = Mapping[str, Sequence[ExternalReference]]
    """What is referred to, by owner."""


PLUGIN = "poetry-lambda-plugin"

ALGORITHMS = {
    "sha256": HashAlgorithm.SHA_256,
    "sha384": HashAlgorithm.SHA_384,
    "sha512": HashAlgorithm.SHA_512,
    "sha3_256": HashAlgorithm.SHA3_256,
    "sha3_512": HashAlgorithm.SHA3_512,
    "blake2b": HashAlgorithm.BLAKE2B_512,
    "sha1": HashAlgorithm.SHA_1,
    "md5": HashAlgorithm.MD5,
}
"""By the names that a lock has for them."""

ATTACHED = re.compile(r"[^/]+\.dist-info/(?P<kind>sboms|licenses)/.+")
"""What a distribution brings along about itself (PEP 770, PEP 639)."""


def sbom_document(bundle: Written) -> bytes:
    """Return the document of a bundle, in ASCII."""
    attached = _attached(bundle.plan)
    bom = Bom(
        metadata=BomMetaData(
            component=_project(bundle, attached),
            tools=ToolRepository(components=[_tool()]),
        ),
        components=_components(bundle, attached),
        properties=_left_out_packages(bundle),
    )
    _add_dependencies(bom, bundle.selected)
    document = json.loads(JsonV1Dot6(bom).output_as_string())
    # the library takes the clock's, and a serial number by chance
    del document["metadata"]["timestamp"], document["serialNumber"]
    document["serialNumber"] = uuid5(NAMESPACE_URL, _text(document)).urn
    return f"{_text(document)}\n".encode("ascii")


def _text(document: object) -> str:
    return json.dumps(_in_order(document), indent=2, sort_keys=True)


def _in_order(value: Any) -> Any:
    """Sort all lists, whose order means nothing, in a way that no release of the library changes."""
    if isinstance(value, dict):
        return {key: _in_order(item) for key, item in value.items()}
    if isinstance(value, list):
        return sorted(map(_in_order, value), key=lambda item: json.dumps(item, sort_keys=True))
    return value


def _project(bundle: Written, attached: Attached) -> Component:
    """Describe what the document is about: the bundle, which has the project's name and version."""
    selected = bundle.selected
    own = [d for d in bundle.plan.distributions if d.is_project]
    metadata = _metadata(own)
    return Component(
        type=ComponentType.APPLICATION,
        name=selected.name,
        version=selected.version,
        bom_ref=_root_reference(selected),
        description=_summary(metadata),
        licenses=_licences(licences(metadata)),
        hashes=_digests(bundle),
        external_references=attached.get(selected.name, ()),
        properties=[*_bundle_properties(bundle), *_left_out_files(own)],
    )


def _digests(bundle: Written) -> Iterator[HashType]:
    """Yield the ZIP's digest, where there is a ZIP."""
    if bundle.selected.config.unpacked is None:
        yield HashType(alg=HashAlgorithm.SHA_256, content=bundle.digest.sha256.hex())


def _root_reference(selected: Selected) -> str:
    return f"{selected.name}@{selected.version}"


def _bundle_properties(bundle: Written) -> Iterator[Property]:
    selected, bytecode = bundle.selected, bundle.compiled.bytecode
    yield _property("runtime", selected.target.runtime.name)
    yield _property("architecture", selected.target.architecture)
    if selected.config.bundle:
        yield _property("bundle", selected.config.bundle)
    if selected.config.handler:
        yield _property("handler", selected.config.handler)
    if selected.config.layer:
        yield _property("layer", "true")
    if bytecode is not None:
        yield _property("bytecode", f"{selected.config.bytecode}, CPython {bytecode.version}")


def _tool() -> Component:
    try:
        own_version = version(PLUGIN)
    except PackageNotFoundError:
        own_version = None
    return Component(type=ComponentType.APPLICATION, name=PLUGIN, version=own_version, bom_ref=PLUGIN)


def _components(bundle: Written, attached: Attached) -> Iterator[Component]:
    """Yield a component for each distribution that has files in the bundle, but for the project."""
    choices = {choice.package.name: choice for choice in bundle.selected.choices}
    ordered = sorted(bundle.plan.distributions, key=attrgetter("name"))
    there = (d for d in ordered if not d.is_project and d.name in bundle.digest.by_owner)
    for name, group in groupby(there, key=attrgetter("name")):
        yield _component(list(group), choices[name], bundle.selected.root, attached.get(name, ()))


def _component(
    distributions: Sequence[PlannedDistribution],
    choice: Choice,
    root: Path,
    attached: Iterable[ExternalReference],
) -> Component:
    name, version = distributions[0].name, distributions[0].version
    purl = PackageURL("pypi", None, name, version, qualifiers(choice.package, root))
    metadata = _metadata(distributions)
    return Component(
        type=ComponentType.LIBRARY,
        name=name,
        version=version,
        bom_ref=_reference(name, version),
        purl=purl,
        description=_summary(metadata),
        licenses=_licences(licences(metadata)),
        hashes=_hashes(choice.file) if isinstance(choice, LockedWheel) else (),
        external_references=[*attached, *_source_reference(choice)],
        properties=[*_origin_properties(choice), *_left_out_files(distributions)],
    )


def _reference(name: str, version: str) -> str:
    return PackageURL("pypi", None, name, version).to_string()


def _origin_properties(choice: Choice) -> Iterator[Property]:
    yield _property("origin", origin_of(choice.package))
    if choice.file is not None:
        yield _property("file", choice.file.name)
        if not isinstance(choice, LockedWheel):
            yield _property("built", "true")


def _source_reference(choice: Choice) -> Iterator[ExternalReference]:
    """Yield the sdist that a wheel was built from, since nobody else has that wheel and its hash."""
    if choice.file is not None and not isinstance(choice, LockedWheel):
        kind = ExternalReferenceType.SOURCE_DISTRIBUTION
        yield ExternalReference(type=kind, url=_uri(choice.file.name), hashes=_hashes(choice.file))


def _hashes(file: LockedFile) -> Iterator[HashType]:
    algorithm, _, digest = file.hash.rpartition(":")
    if algorithm in ALGORITHMS:
        yield HashType(alg=ALGORITHMS[algorithm], content=digest)


def _metadata(distributions: Iterable[PlannedDistribution]) -> Message:
    """Read the head of METADATA, bundled or not; it is empty where no distribution has any."""
    contents = (d.metadata for d in distributions if d.metadata is not None)
    # the first piece has all fields, before a description of any length
    head = next((next(content.chunks(), b"") for content in contents), b"")
    return HeaderParser().parsestr(head.decode("utf-8", "replace"))


def _summary(metadata: Message) -> str | None:
    summary = " ".join(str(metadata.get("Summary", "")).split())
    return summary if summary not in ("", "UNKNOWN") else None


def _licences(declared: Iterable[Licence]) -> Iterator[License]:
    by_metadata = LicenseAcknowledgement.DECLARED
    for licence in declared:
        if licence.kind == "expression":
            yield LicenseExpression(licence.text, acknowledgement=by_metadata)
        else:
            known, name = (licence.text, None) if licence.kind == "id" else (None, licence.text)
            yield DisjunctiveLicense(id=known, name=name, acknowledgement=by_metadata)


def _attached(plan: BundlePlan) -> Attached:
    """Return, by owner, the SBOMs and licences in the bundle, with their paths in it."""
    found: dict[str, list[ExternalReference]] = {}
    for entry in plan.entries:
        match = ATTACHED.fullmatch(entry.path, len(plan.prefix))
        if match is not None:
            is_sbom = match["kind"] == "sboms"
            kind = ExternalReferenceType.BOM if is_sbom else ExternalReferenceType.LICENSE
            digest = HashType(alg=HashAlgorithm.SHA_256, content=entry.digest().hex())
            reference = ExternalReference(type=kind, url=_uri(entry.path), hashes=[digest])
            found.setdefault(entry.owner, []).append(reference)
    return found


def _left_out_packages(bundle: Written) -> Iterator[Property]:
    for package in bundle.selected.left_out:
        yield _property("left-out", f"{package.name}@{package.version}: {package.reason}")
    for distribution in bundle.plan.distributions:
        if not distribution.is_project and distribution.name not in bundle.digest.by_owner:
            release = f"{distribution.name}@{distribution.version}"
            yield _property("left-out", f"{release}: every file of it is excluded")


def _left_out_files(distributions: Iterable[PlannedDistribution]) -> Iterator[Property]:
    """Yield how many files of a distribution the bundle lacks, and why."""
    reasons = Counter(left.reason for d in distributions for left in d.left_out)
    for reason, count in sorted(reasons.items()):
        yield _property("left-out-files", f"{count}: {reason}")


def _add_dependencies(bom: Bom, selected: Selected) -> None:
    """Say who needs whom in the bundle; what is left out is passed through to what it needs itself."""
    graph = selected.graph()
    components = {component.name: component for component in bom.components}
    root = bom.metadata.component
    if root is not None:
        bom.register_dependency(root, _present(graph.direct, graph.needs, components))
    for name, component in components.items():
        bom.register_dependency(component, _present(graph.needs.get(name, ()), graph.needs, components))


def _present(
    names: Iterable[str], needs: Mapping[str, Iterable[str]], components: Mapping[str, Component]
) -> list[Component]:
    found: dict[str, Component] = {}
    seen: set[str] = set()
    queue = sorted(names)
    while queue:
        name = queue.pop()
        if name in components:
            found[name] = components[name]
        elif name not in seen:
            seen.add(name)
            queue += needs.get(name, ())
    return list(found.values())


def _property(name: str, value: str) -> Property:
    return Property(name=f"{PLUGIN}:{name}", value=value)


def _uri(path: str) -> XsUri:
    return XsUri(quote(path))
