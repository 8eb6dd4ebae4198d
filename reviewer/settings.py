"""The environment and `.env`, read once into one frozen value.

This is the only module that reads the environment. Every problem is reported at once.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import platformdirs
from pydantic import Field, SecretStr, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict, SettingsError

from reviewer.core.diff import MAX_DIFF_BYTES
from reviewer.core.findings import Severity
from reviewer.core.plan import BATCH_TOKENS
from reviewer.errors import BadSettings

Finite = Annotated[float, Field(allow_inf_nan=False)]


class Settings(BaseSettings):
    """Every setting; each field's environment variable is its name in capitals."""

    model_config = SettingsConfigDict(env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True)

    anthropic_api_key: SecretStr | None = Field(None, description="Key for Claude. Absent: analyzers review.")
    anthropic_base_url: str | None = Field(None, description="Any server that speaks the Messages API.")
    llm_model: str = Field("claude-sonnet-5-5", description="The model that reviews.")
    llm_model_weights: Annotated[dict[str, float], NoDecode] = Field(
        {}, description="Instead of one: models to compare, as MODEL=WEIGHT,…; each review draws one."
    )
    llm_small_model: str | None = Field(
        None, description="Reviews docs, plain config and tiny edits; none: nobody does. Default: see README."
    )
    llm_fallback_model: str | None = Field(
        None, description="Takes over what another can't do; none: nobody does. Default: see README."
    )
    llm_fallback_on_overload: bool = Field(
        False, description="Ask the fallback at once when the provider is overloaded, not after three tries."
    )
    llm_capabilities: dict[str, dict[str, Any]] = Field(
        {}, description="JSON: what models can do and cost, by id, where it differs from the built-in table."
    )
    llm_context_window: int = Field(
        64_000, ge=4_000, description="Tokens of context used at most; half of it bounds one file's chunk."
    )
    llm_batch_tokens: int = Field(
        BATCH_TOKENS, ge=0, description="Small chunks travel in one call up to so many tokens; 0: each alone."
    )
    llm_max_tokens: int = Field(16_000, ge=256, description="Output tokens of one call at most.")
    llm_concurrency: int = Field(4, ge=1, le=64, description="Calls under way at once in one review.")
    llm_first_token_seconds: Finite = Field(
        180, gt=0, description="How long a call waits for its first token."
    )
    llm_idle_seconds: Finite = Field(60, gt=0, description="How long an answer may stand still.")
    llm_total_seconds: Finite = Field(600, gt=0, description="How long one call may take in all.")
    llm_longest_wait_seconds: Finite = Field(
        60,
        ge=0,
        allow_inf_nan=False,
        description="Longest wait between two tries; a server that wants more is not asked again.",
    )

    budget_request_tokens: int = Field(200_000, ge=0, description="Tokens of one call at most; 0: no bound.")
    budget_request_usd: Finite = Field(1.0, ge=0, description="USD of one call at most; 0: no bound.")
    budget_review_tokens: int = Field(3_000_000, ge=0, description="Tokens of one review; 0: no bound.")
    budget_review_usd: Finite = Field(5.0, ge=0, description="USD of one review; 0: no bound.")
    budget_installation_day_tokens: int = Field(
        30_000_000, ge=0, description="Tokens of an installation per day (UTC); 0: no bound."
    )
    budget_installation_day_usd: Finite = Field(
        50.0, ge=0, description="USD of an installation per day (UTC); 0: no bound."
    )
    budget_api_key_day_tokens: int = Field(
        10_000_000, ge=0, description="Tokens of an API key per day (UTC); 0: no bound."
    )
    budget_api_key_day_usd: Finite = Field(
        20.0, ge=0, description="USD of an API key per day (UTC); 0: no bound."
    )

    github_app_id: str | None = Field(None, description="The app's id; its client id does as well.")
    github_client_id: str | None = Field(None, description="The app's client id, which GitHub recommends.")
    github_client_secret: SecretStr | None = Field(
        None, description="The app's client secret. With it people log in through GitHub."
    )
    github_private_key: SecretStr | None = Field(None, description="The app's private key, PEM text.")
    github_private_key_path: Path | None = Field(None, description="File that holds the private key.")
    github_webhook_secret: SecretStr | None = Field(None, description="Secret that signs deliveries.")
    github_api_url: str = Field("https://api.github.com", description="GHES: https://HOST/api/v3")
    github_url: str | None = Field(
        None, description="Where people meet GitHub. Default: as GITHUB_API_URL says."
    )
    github_write_seconds: Finite = Field(
        1.0, ge=0, description="Seconds between two writes for one installation; GitHub asks for one."
    )

    database_url: SecretStr | None = Field(None, description="PostgreSQL. Absent: an embedded one.")
    sluice_data_dir: Path = Field(
        Path(platformdirs.user_data_dir("sluice", appauthor=False)), description="Embedded database, token."
    )
    sluice_token: SecretStr | None = Field(
        None, description="The operator's access token. Absent: made at first start."
    )
    sluice_cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Origins of other sites whose pages may call the API, comma-separated."
    )
    sluice_trusted_proxies: str = Field(
        "127.0.0.1", description="Addresses whose X-Forwarded-For and -Proto are believed, comma-separated."
    )
    sluice_requests_per_minute: int = Field(
        600, ge=0, description="Requests of one caller, and of one address without token; 0: no bound."
    )
    sluice_streams_per_caller: int = Field(
        50, ge=1, description="Event streams of one caller that are open at once in one process."
    )
    sluice_sight_seconds: Finite = Field(
        300, gt=0, description="How often GitHub is asked again what a person may see."
    )
    sluice_event_days: int = Field(
        30, ge=1, description="Events, and the diffs that the dashboard shows, are kept for so many days."
    )
    sluice_host: str = Field("127.0.0.1", description="Address to listen on.")
    sluice_port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    sluice_public_url: str | None = Field(
        None, description="URL under which people and GitHub reach the app."
    )
    sluice_max_diff_bytes: int = Field(
        MAX_DIFF_BYTES, ge=1_000, description="A larger diff is refused before it is read."
    )
    sluice_postpone_seconds: Finite = Field(
        30,
        gt=0,
        description="First wait of a review whose model is down; each further one is four times it.",
    )
    sluice_jobs_at_once: int = Field(4, ge=1, le=64, description="Reviews under way in one process.")
    sluice_jobs_per_installation: int = Field(
        2, ge=1, le=64, description="Reviews of one installation under way, over all processes."
    )
    sluice_stalled_seconds: Finite = Field(
        30, ge=2, description="Without a sign of life for so long a worker is taken for dead."
    )
    sluice_drain_seconds: Finite = Field(
        20, ge=0, description="A stop lets running reviews end for so long, then hands them back."
    )
    sluice_sweep_seconds: Finite = Field(
        600, gt=0, description="How often GitHub is asked for deliveries that failed."
    )
    sluice_review_drafts: bool = Field(False, description="Review drafts too.")
    sluice_review_bots: bool = Field(False, description="Review pull requests of bots too.")
    sluice_label: str | None = Field(None, description="Review only pull requests that carry this label.")
    sluice_publish_seconds: Finite = Field(
        0, ge=0, description="Comment every so many seconds while a review runs; 0: once, at its end."
    )
    sluice_max_comments: int = Field(25, ge=0, le=30, description="Comments of one review at most.")
    sluice_max_comments_per_pull_request: int = Field(
        100, ge=0, description="Comments on one pull request at most, over all its reviews."
    )
    sluice_annotations: bool = Field(True, description="Show findings as annotations of the check run too.")
    sluice_fail_on: Severity | Literal["none"] = Field(
        "none", description="The check run fails with a finding this severe or worse."
    )
    sluice_partial_conclusion: Literal["neutral", "success", "failure", "action_required"] = Field(
        "neutral", description="Conclusion of a check run whose review is not complete."
    )
    sluice_ledger_days: int = Field(
        30, ge=1, description="A finished chunk is forgotten when no review has used it for so many days."
    )
    sluice_ignore: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="gitignore patterns of files not to review, comma-separated."
    )

    @field_validator("sluice_ignore", "sluice_cors_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        return tuple(p.strip() for p in value.split(",") if p.strip()) if isinstance(value, str) else value

    @field_validator("llm_model_weights", mode="before")
    @classmethod
    def _weights(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [pair.rpartition("=") for pair in value.split(",") if pair.strip()]
        return {name.strip(): weight.strip() for name, _, weight in pairs}

    @field_validator("llm_model_weights")
    @classmethod
    def _some_weight(cls, value: dict[str, float]) -> dict[str, float]:
        if "" in value or any(not (0 <= weight < math.inf) for weight in value.values()):
            raise ValueError("write MODEL=WEIGHT,MODEL=WEIGHT with weights of 0 or more")
        if value and not sum(value.values()):
            raise ValueError("one weight at least must be over 0")
        return value

    @property
    def has_model(self) -> bool:
        """Whether Claude, or a server of one's own, is configured."""
        return self.anthropic_api_key is not None or self.anthropic_base_url is not None

    @property
    def app_issuer(self) -> str | None:
        """Who signs the app's tokens: the client id, else the app id."""
        return self.github_client_id or self.github_app_id

    def private_key(self) -> str | None:
        """The app's private key from either setting.

        Raises:
            BadSettings: the file can't be read.
        """
        if self.github_private_key is not None:
            return self.github_private_key.get_secret_value().replace("\\n", "\n")
        if self.github_private_key_path is None:
            return None
        try:
            return self.github_private_key_path.read_text()
        except OSError as error:
            raise BadSettings(f"GITHUB_PRIVATE_KEY_PATH: {error.strerror}: {error.filename}") from error

    def missing_for_serving(self) -> list[str]:
        """Variables without which the GitHub App can't work."""
        wanted: Mapping[str, object] = {
            "GITHUB_CLIENT_ID or GITHUB_APP_ID": self.app_issuer,
            "GITHUB_PRIVATE_KEY or GITHUB_PRIVATE_KEY_PATH": self.private_key(),
            "GITHUB_WEBHOOK_SECRET": self.github_webhook_secret,
        }
        return [name for name, value in wanted.items() if not value]


def read() -> Settings:
    """Read the environment and `.env`.

    Raises:
        BadSettings: listing every variable that is wrong.
    """
    try:
        return Settings()  # pyright: ignore[reportCallIssue]  # every field has a default
    except SettingsError as error:  # a value that should be JSON and is none
        raise BadSettings(f"settings are wrong: {error}; {error.__cause__}") from error
    except ValidationError as error:
        problems = [f"{str(item['loc'][0]).upper()}: {item['msg']}" for item in error.errors()]
        raise BadSettings("settings are wrong:\n  " + "\n  ".join(problems)) from error
