"""Settings: the default file, the installation's own, the environment, and clear words for what cannot be used."""

import ipaddress
from pathlib import Path

import pytest

from homing import config, errors
from homing.dialects.lia.settings import LiaDialectSettings
from homing.dialects.registry import DIALECTS


def lia_settings(settings: config.Settings) -> LiaDialectSettings:
    found = settings.dialects["lia"]
    assert isinstance(found, LiaDialectSettings)
    return found


def written(folder: Path, text: str | bytes) -> Path:
    (folder / "homing.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def test_the_default_file_is_enough(tmp_path: Path) -> None:
    settings = config.load(tmp_path, DIALECTS, {})
    assert settings.http.address == "127.0.0.1:8080"
    assert (settings.http.workers, settings.link.workers) == (0, 1)
    assert settings.push.allowed_networks == settings.http.trusted_proxies == []
    assert lia_settings(settings).success_remark == "Message Submitted Sucessfully"


def test_the_own_file_stands_above_the_defaults_and_the_environment_above_both(tmp_path: Path) -> None:
    written(tmp_path, '[http]\naddress = "0.0.0.0:80"\nworkers = 3\n')
    settings = config.load(
        tmp_path, DIALECTS, {"HOMING_HTTP_WORKERS": "4", "HOMING_HTTPS_WORKERS": "9", "HTTP_WORKERS": "9"}
    )
    assert settings.http.address == "0.0.0.0:80"
    assert settings.http.workers == 4
    assert settings.link.workers == 1


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("10.0.0.0/8, 127.0.0.1", ["10.0.0.0/8", "127.0.0.1"]),
        ('["10.0.0.0/8"]', ["10.0.0.0/8"]),
        ("", []),
        (" , ", []),
    ],
)
def test_a_list_in_the_environment_is_json_or_commas(text: str, networks: list[str], tmp_path: Path) -> None:
    assert config.load(tmp_path, DIALECTS, {"HOMING_PUSH_ALLOWED_NETWORKS": text}).push.allowed_networks == networks


def test_a_text_setting_is_taken_as_it_stands(tmp_path: Path) -> None:
    settings = config.load(tmp_path, DIALECTS, {"HOMING_LIA_SUCCESS_REMARK": "[1, 2]"})
    assert lia_settings(settings).success_remark == "[1, 2]"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[http]\nworkers = 'two'\n", "workers"),
        ("[http]\nwrokers = 2\n", "wrokers"),
        ("[htpp]\nworkers = 2\n", "htpp"),
        ("[http\n", "homing.toml"),
        ("http = 5\n", "http"),
        ("[push]\nallowed_networks = [1]\n", "allowed_networks"),
        (b"[lia]\nsuccess_remark = '\xff'\n", "homing.toml"),
        ("[http]\nworkers = 65\n", "workers"),
        ("[link]\nworkers = -1\n", "workers"),
        ("[log]\nlevel = 'verbose'\n", "level"),
        ("[log]\nformat = 'xml'\n", "format"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_by_the_name_of_what_is_wrong(
    text: str | bytes, named: str, tmp_path: Path
) -> None:
    with pytest.raises(errors.InvalidInput, match=named):
        config.load(written(tmp_path, text), DIALECTS, {})


@pytest.mark.parametrize(
    ("name", "text"),
    [("HOMING_HTTP_WORKERS", "two"), ("HOMING_LINK_WORKERS", ""), ("HOMING_PUSH_ALLOWED_NETWORKS", "[1")],
)
def test_an_environment_that_cannot_be_used_is_refused(name: str, text: str, tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match=name.rpartition("_")[2].lower()):
        config.load(tmp_path, DIALECTS, {name: text})


def test_networks_are_addresses_or_networks_of_either_version() -> None:
    assert config.networks(["10.1.2.3/8", "::1", "fd00::/8"]) == [
        ipaddress.ip_network("10.0.0.0/8"),
        ipaddress.ip_network("::1/128"),
        ipaddress.ip_network("fd00::/8"),
    ]
    with pytest.raises(errors.InvalidInput, match="example"):
        config.networks(["example.com"])


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:8080", "127.0.0.1", 8080), ("[::1]:80", "::1", 80), ("localhost:0", "localhost", 0)],
)
def test_an_address_to_serve_on(text: str, host: str, port: int) -> None:
    assert config.host_port(text) == (host, port)


@pytest.mark.parametrize(
    "text", ["", ":80", "8080", "127.0.0.1", "127.0.0.1:", "h:x", "h:-1", "h:65536", "h:²", "h:1 "]
)
def test_what_is_no_address_to_serve_on_is_refused(text: str) -> None:
    with pytest.raises(errors.InvalidInput):
        config.host_port(text)
