"""Settings from file, environment and arguments; invalid ones are rejected by name."""

import pickle
from pathlib import Path

import pytest

from hybrid_search.core import LIST_NAMES
from hybrid_search.core.errors import InvalidConfig
from hybrid_search.settings.sections import FusionSection
from hybrid_search.settings.settings import CONFIG_NAME, Settings, load_settings


def written(folder: Path, text: str) -> Path:
    path = folder / CONFIG_NAME
    path.write_text(text, encoding="utf-8")
    return path


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings.data_dir == tmp_path
    assert settings.fusion.rank_constant == 30.0
    assert settings.fusion.method == "confident_rrf"
    assert settings.vector.kind == "auto"
    assert settings.embedding.model == "embedded"


def test_the_file_in_the_data_folder_is_read(tmp_path: Path) -> None:
    written(
        tmp_path,
        '[fusion]\nrank_constant = 20\nlexical = {window = 7}\n[lexical]\nuser_words = ["봄"]\n',
    )
    settings = load_settings(tmp_path)
    assert settings.fusion.rank_constant == 20.0
    assert settings.fusion.lexical.window == 7
    assert settings.fusion.lexical.weight == 2.0
    assert settings.lexical.user_words == ("봄",)


def test_named_file_overrides_the_one_in_the_data_folder(tmp_path: Path) -> None:
    written(tmp_path, "[server]\nport = 1111\n")
    other = tmp_path / "other.toml"
    other.write_text("[server]\nport = 2222\n", encoding="utf-8")
    assert load_settings(tmp_path).server.port == 1111
    assert load_settings(tmp_path, other).server.port == 2222


def test_the_environment_overrides_one_key_and_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path, "[fusion]\nrank_constant = 30\nphrase = {window = 9}\n")
    monkeypatch.setenv("HYBRID_SEARCH_FUSION__RANK_CONSTANT", "20")
    settings = load_settings(tmp_path)
    assert settings.fusion.rank_constant == 20.0
    assert settings.fusion.phrase.window == 9


def test_the_argument_overrides_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HYBRID_SEARCH_DATA_DIR", "/elsewhere")
    assert load_settings().data_dir == Path("/elsewhere")
    assert load_settings(tmp_path).data_dir == tmp_path


def test_one_load_does_not_leak_its_file_into_the_next(tmp_path: Path) -> None:
    load_settings(file=written(tmp_path, "[server]\nport = 1111\n"))
    assert load_settings().server.port == 8000
    assert Settings().server.port == 8000


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("[fusion]\nrank_constant = 0\n", ["fusion.rank_constant", "= 0:", "greater than 0"]),
        ("[fusion]\nrank_constant = nan\n", ["fusion.rank_constant", "nan"]),
        ("[fusion.lexical]\nwindow = 1001\n", ["fusion.lexical.window", "1001", "1000"]),
        ("[fusion.phrase]\nweight = -1\n", ["fusion.phrase.weight", "-1", "0"]),
        ("[vector]\nm = 3\n", ["vector.m", "= 3:", "4"]),
        ('[vector]\nkind = "tree"\n', ["vector.kind", "'ivf'", "'flat'", "'hnsw'"]),
        ('[server]\nport = "x"\n', ["server.port", "'x'", "integer"]),
        ("[server]\nport = 65536\n", ["server.port", "65536", "65535"]),
        ("[server]\nprot = 1\n", ["server.prot", "= 1:", "not permitted"]),
        ("[servers]\nport = 1\n", ["servers", "not permitted"]),
        ("[fusion.bm25]\nwindow = 1\n", ["fusion.bm25", "not permitted"]),
        ("[fusion\n", ["cannot be read as TOML", CONFIG_NAME]),
    ],
)
def test_invalid_setting_is_rejected_with_key_value_and_limit(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    written(tmp_path, text)
    with pytest.raises(InvalidConfig) as refusal:
        load_settings(tmp_path)
    for part in parts:
        assert part in str(refusal.value)


def test_every_invalid_setting_is_reported_on_its_own_line(tmp_path: Path) -> None:
    written(tmp_path, "[server]\nport = -1\n[ingest]\nworkers = 65\n")
    with pytest.raises(InvalidConfig) as refusal:
        load_settings(tmp_path)
    lines = str(refusal.value).splitlines()
    assert len(lines) == 2
    assert any("server.port = -1" in line for line in lines)
    assert any("ingest.workers = 65" in line and "64" in line for line in lines)


@pytest.mark.parametrize(
    ("name", "value", "key"),
    [
        ("HYBRID_SEARCH_FUSION__RANK_CONSTANT", "10001", "fusion.rank_constant"),
        ("HYBRID_SEARCH_LEXICAL__ANALYZER", "mecab", "lexical.analyzer"),
    ],
)
def test_invalid_environment_variable_is_rejected(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, key: str
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(InvalidConfig) as refusal:
        load_settings()
    assert key in str(refusal.value)
    assert value in str(refusal.value)


def test_missing_file_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"no file at .*gone\.toml"):
        load_settings(file=tmp_path / "gone.toml")


def test_fusion_settings_name_all_lists() -> None:
    settings = FusionSection().settings()
    assert tuple(settings.lists) == LIST_NAMES
    assert settings.lists["phrase"].window == 200
    assert settings.lists["lexical"].window == 100


def test_picture_limits_follow_the_settings(tmp_path: Path) -> None:
    written(tmp_path, "[pictures]\nmax_bytes = 2048\nmax_pixels = 99\nmax_side = 11\n")
    limits = load_settings(tmp_path).pictures.limits()
    assert (limits.max_bytes, limits.max_pixels, limits.max_side) == (2048, 99, 11)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("HYBRID_SEARCH_FUSON__RANK_CONSTANT", "20", "HYBRID_SEARCH_FUSION__RANK_CONSTANT?"),
        ("hybrid_search_server__prot", "1", "HYBRID_SEARCH_SERVER__PORT?"),
        ("HYBRID_SEARCH_LEXICAL__USER_WORDS", "[a", "lexical"),
    ],
)
def test_unknown_variable_is_rejected(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, said: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(InvalidConfig) as refusal:
        load_settings()
    assert said in str(refusal.value)


def test_file_in_another_encoding_is_rejected_by_name(tmp_path: Path) -> None:
    (tmp_path / CONFIG_NAME).write_bytes('[lexical]\nuser_words = ["봄"]\n'.encode("cp949"))
    with pytest.raises(InvalidConfig, match=CONFIG_NAME):
        load_settings(tmp_path)


def test_a_section_as_json_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HYBRID_SEARCH_SERVER", '{"port": 77}')
    assert load_settings().server.port == 77


def test_environment_values_of_every_kind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written(tmp_path, '[lexical]\nuser_words = ["봄"]\n[fields.price]\ntype = "number"\n')
    monkeypatch.setenv("HYBRID_SEARCH_SERVER", '{"port": 77, "host": "0.0.0.0"}')
    monkeypatch.setenv("HYBRID_SEARCH_SERVER__PORT", "78")
    monkeypatch.setenv("HYBRID_SEARCH_LEXICAL__USER_WORDS", '["여름"]')
    monkeypatch.setenv("HYBRID_SEARCH_FIELDS", '{"brand": {"facetted": true}}')
    monkeypatch.setenv("HYBRID_SEARCH_EMBEDDING__PROMPTS", "auto")
    monkeypatch.setenv("HYBRID_SEARCH_EMBEDDING__EMBED_COPY", "false")
    monkeypatch.setenv("HYBRID_SEARCH_FUSION__LEXICAL__WINDOW", "9")
    settings = load_settings(tmp_path)
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", 78)
    assert settings.lexical.user_words == ("여름",)
    assert list(settings.fields) == ["price", "brand"]
    assert (settings.embedding.prompts, settings.embedding.embed_copy) == ("auto", False)
    assert settings.fusion.lexical.window == 9
    monkeypatch.setenv("HYBRID_SEARCH_EMBEDDING__PROMPTS", '["a {}"]')
    assert load_settings(tmp_path).embedding.prompts == ("a {}",)


def test_settings_survive_pickling(tmp_path: Path) -> None:
    """The service sends them to its workers."""
    written(tmp_path, "[fusion.lexical]\nwindow = 7\n")
    settings = load_settings(tmp_path)
    assert pickle.loads(pickle.dumps(settings)) == settings
