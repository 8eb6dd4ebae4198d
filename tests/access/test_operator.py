"""The operator's token: where it comes from, and that it is never an empty one."""

from __future__ import annotations

import pytest

from reviewer.settings import Settings
from webhooks.access.guard import operator_token


@pytest.mark.parametrize("left", [None, "", " \n"])
def test_a_token_is_made_where_none_is_kept_and_stays(tmp_path, left):
    if left is not None:
        (tmp_path / "token").write_text(left)
    settings = Settings.model_validate({"sluice_data_dir": tmp_path})

    made = operator_token(settings)

    assert len(made) == 32
    assert operator_token(settings) == made
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["token"]


@pytest.mark.parametrize(("given", "token"), [("mine", "mine"), (" mine\n", "mine")])
def test_the_token_of_the_settings_counts_without_the_space_round_it(tmp_path, given, token):
    settings = Settings.model_validate({"sluice_data_dir": tmp_path, "sluice_token": given})

    assert operator_token(settings) == token


def test_a_blank_token_in_the_settings_is_none(tmp_path):
    settings = Settings.model_validate({"sluice_data_dir": tmp_path, "sluice_token": " "})

    assert len(operator_token(settings)) == 32
