"""The licences that metadata declares."""

from __future__ import annotations

from email.parser import HeaderParser

import pytest

from poetry_lambda_plugin.report.licences import Licence
from poetry_lambda_plugin.report.licences import licences


OSI = "Classifier: License :: OSI Approved"


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param("License-Expression: MIT", [Licence("id", "MIT")], id="one"),
        pytest.param(
            "License-Expression: MIT AND (Apache-2.0 OR BSD-2-Clause)",
            [Licence("expression", "MIT AND (Apache-2.0 OR BSD-2-Clause)")],
            id="expression",
        ),
        pytest.param(
            "License-Expression: LicenseRef-Ours", [Licence("expression", "LicenseRef-Ours")], id="own"
        ),
        pytest.param(
            f"License-Expression: 0BSD\nLicense: GPL\n{OSI} :: MIT License",
            [Licence("id", "0BSD")],
            id="expression-first",
        ),
        pytest.param(f"License: BSD\n{OSI} :: ISC License (ISCL)", [Licence("id", "ISC")], id="classifier"),
        pytest.param(
            f"License: BSD-3-Clause\n{OSI} :: BSD License", [Licence("id", "BSD-3-Clause")], id="identifier"
        ),
        pytest.param(
            "License: MIT OR Apache-2.0", [Licence("expression", "MIT OR Apache-2.0")], id="as-expression"
        ),
        pytest.param("License: MIT or so", [Licence("name", "MIT or so")], id="words"),
        pytest.param(f"License: UNKNOWN\n{OSI} :: BSD License", [Licence("name", "BSD License")], id="name"),
        pytest.param(
            f"{OSI} :: MIT License\n{OSI} :: Apache Software License",
            [Licence("name", "MIT License"), Licence("name", "Apache Software License")],
            id="one-is-unclear",
        ),
        pytest.param(
            f"{OSI} :: MIT License\n{OSI} :: The Unlicense (Unlicense)",
            [Licence("id", "MIT"), Licence("id", "Unlicense")],
            id="two",
        ),
        pytest.param(
            "License: MIT License\n        \n        Copyright (c) 2020 A. Person",
            [Licence("name", "MIT License")],
            id="text",
        ),
        pytest.param(f"License: {'x' * 200}", [Licence("name", "x" * 100)], id="long"),
        pytest.param(f"{OSI}\nClassifier: Typing :: Typed\nLicense:", [], id="none"),
    ],
)
def test_licences(metadata: str, expected: list[Licence]) -> None:
    """What is sure is an identifier or an expression of SPDX, all else keeps its name."""
    assert list(licences(HeaderParser().parsestr(f"Name: a\n{metadata}\n\ndescription\n"))) == expected
