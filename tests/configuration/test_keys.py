"""The table of keys: one row for each field, and nothing that can't be meant."""

from __future__ import annotations

from dataclasses import fields

from poetry_lambda_plugin.configuration.keys import KEYS
from poetry_lambda_plugin.configuration.keys import OPTIONS
from poetry_lambda_plugin.configuration.values import BundleConfig
from poetry_lambda_plugin.configuration.values import Selection


NO_KEYS = {"bundle", "ignore_is_shared", "runtime_set_by", "selection"}
"""Fields that follow from where a key stands, or hold those of several."""


def test_every_key_has_a_field_and_every_field_a_key() -> None:
    """What can be configured is what a bundle is made by."""
    named = {field.name for of in (BundleConfig, Selection) for field in fields(of)} - NO_KEYS

    assert sorted(key.field for key in KEYS.values()) == sorted(named)


def test_rivals_are_keys_and_each_pair_is_named_once() -> None:
    """No contradiction is told twice, or between keys that do not exist."""
    pairs = [frozenset({key.name, rival}) for key in KEYS.values() for rival in key.rivals]

    assert frozenset().union(*pairs) <= KEYS.keys()
    assert len(set(pairs)) == len(pairs)
    assert all(len(pair) == 2 for pair in pairs)


def test_keys_need_keys() -> None:
    """What a key means nothing without is a key."""
    assert {key.needs for key in KEYS.values() if key.needs} <= KEYS.keys()


def test_options_go_by_their_own_names() -> None:
    """An option is named as its key, in the singular where each value has its own, or turns it off."""
    assert all(
        name in (key.name, key.name.removesuffix("s")) or key.is_turned_off for name, key in OPTIONS.items()
    )
    assert OPTIONS["no-audit"] is KEYS["audit"]
    assert OPTIONS["exclude-package"] is KEYS["exclude-packages"]
    assert "handler" not in OPTIONS


def test_commas_are_for_options_with_several_values() -> None:
    """Only a list can be written in one value."""
    assert all(key.type == "list" and key.option for key in KEYS.values() if key.commas)


def test_help_is_a_sentence() -> None:
    """Each help is ended, so that the README's row can go on after it."""
    assert not [key.name for key in KEYS.values() if not key.help.endswith((".", "…"))]
