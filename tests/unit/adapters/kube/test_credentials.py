"""Where the API server is said to be, and by whom."""

from __future__ import annotations

import os

from pathlib import Path
from typing import Any

import pytest

from pcidevices.adapters.kube.credentials import Credentials
from pcidevices.adapters.kube.narrow import ConfigException, Configuration, load_incluster_config
from pcidevices.errors import ConfigError
from tests.support.kube import a_client, kubeconfig, written


IN_A_POD = Path("/var/run/secrets/kubernetes.io/serviceaccount/token").exists()


async def test_a_kubeconfig_says_where_and_who(tmp_path: Path) -> None:
    configuration = await written(tmp_path / "c", kubeconfig("https://there:6443", token="secret")).load()

    assert configuration.host == "https://there:6443"
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer secret"


async def test_a_context_can_be_chosen(tmp_path: Path) -> None:
    config = kubeconfig("https://here")
    config["clusters"].append({"name": "away", "cluster": {"server": "https://away"}})
    config["contexts"].append({"name": "other", "context": {"cluster": "away", "user": "me"}})
    path = written(tmp_path / "c", config).kubeconfig

    assert (await Credentials(path, "other").load()).host == "https://away"


async def test_several_files_are_one_configuration(tmp_path: Path) -> None:
    """As in $KUBECONFIG; those that do not exist are passed over."""
    written(tmp_path / "a", kubeconfig("https://a"))
    second = kubeconfig("https://b")
    second["clusters"][0]["name"] = second["contexts"][0]["context"]["cluster"] = "b"
    second["contexts"][0]["name"] = "second"
    written(tmp_path / "b", second)
    paths = f"{tmp_path}/none:{tmp_path}/a::{tmp_path}/b"

    assert (await Credentials(paths, "second").load()).host == "https://b"


async def test_without_a_name_the_usual_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "home/.kube").mkdir(parents=True)
    written(tmp_path / "home/.kube/config", kubeconfig("https://home"))

    assert (await Credentials().load()).host == "https://home"


async def test_a_token_file_is_read_anew_each_time(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("first")
    credentials = written(tmp_path / "c", kubeconfig("https://here", tokenFile="token"))
    before = await credentials.load()
    (tmp_path / "token").write_text("second")
    after = await credentials.load()

    assert await before.get_api_key_with_prefix("BearerToken") == "Bearer first"
    assert await after.get_api_key_with_prefix("BearerToken") == "Bearer second"


@pytest.mark.parametrize("paths", ["{0}/none", "{0}/none:{0}/nothing", "{0}"])
async def test_no_file_is_a_configuration_error_that_says_what_to_do(tmp_path: Path, paths: str) -> None:
    paths = paths.format(tmp_path)

    with pytest.raises(ConfigError, match=r"no kubeconfig at .*--kubeconfig or \$KUBECONFIG") as error:
        await Credentials(paths).load()
    assert paths in str(error.value)


def changed(**top: Any) -> dict[str, Any]:
    return kubeconfig("https://here") | top


NONSENSE: dict[str, Any] = {
    "empty": None,
    "a list": [],
    "text": "hello",
    "nothing in it": {},
    "no current context": {k: v for k, v in changed().items() if k != "current-context"},
    "a context that is none": changed(**{"current-context": "other"}),
    "a context without a cluster": changed(contexts=[{"name": "now", "context": {"user": "me"}}]),
    "a cluster that is none": changed(clusters=[]),
    "a cluster without a name": changed(clusters=[{"cluster": {"server": "https://here"}}]),
    "clusters that are text": changed(clusters="here"),
    "a cluster that is text": changed(clusters=["here"]),
    "a cluster without a server": changed(clusters=[{"name": "here", "cluster": {}}]),
    "a certificate in a missing file": changed(
        clusters=[{"name": "here", "cluster": {"server": "https://here", "certificate-authority": "none.crt"}}]
    ),
    "a token in a missing file": kubeconfig("https://here", tokenFile="none"),
    "an exec plug-in that is not there": kubeconfig(
        "https://here", exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "no-such-plugin"}
    ),
    "an exec plug-in that fails": kubeconfig(
        "https://here", exec={"apiVersion": "client.authentication.k8s.io/v1", "command": "false"}
    ),
}


@pytest.mark.parametrize("config", NONSENSE.values(), ids=NONSENSE)
async def test_a_kubeconfig_that_cannot_be_used_is_a_configuration_error(tmp_path: Path, config: Any) -> None:
    """The message names the file; the exit status will be 2, with no traceback."""
    credentials = written(tmp_path / "c", config)

    with pytest.raises(ConfigError, match=str(tmp_path / "c")):
        await credentials.load()


async def test_a_kubeconfig_that_is_no_yaml_is_a_configuration_error(tmp_path: Path) -> None:
    (tmp_path / "c").write_text("{")

    with pytest.raises(ConfigError, match=str(tmp_path / "c")):
        await Credentials(str(tmp_path / "c")).load()


@pytest.mark.parametrize("content", ["bm9uZQo=", "!"], ids=["no certificate", "no base64"])
@pytest.mark.parametrize("key", ["certificate-authority-data", "client-certificate-data"])
async def test_a_certificate_that_is_none_is_a_configuration_error(tmp_path: Path, key: str, content: str) -> None:
    config = kubeconfig("https://here")
    (config["clusters"][0]["cluster"] if "authority" in key else config["users"][0]["user"])[key] = content
    if "client" in key:
        config["users"][0]["user"]["client-key-data"] = content
    credentials = written(tmp_path / "c", config)

    with pytest.raises(ConfigError):
        async with a_client(credentials):
            pass


async def test_in_a_pod_the_service_account_comes_before_the_usual_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pod whose service account is not mounted says so, rather than ask some other cluster."""
    (tmp_path / "home/.kube").mkdir(parents=True)
    written(tmp_path / "home/.kube/config", kubeconfig("https://home"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")
    if IN_A_POD:
        pytest.skip("this is a pod with a service account")

    with pytest.raises(ConfigError, match="token file"):
        await Credentials().load()


async def test_a_named_kubeconfig_comes_before_the_service_account(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    credentials = written(tmp_path / "c", kubeconfig("https://named"))

    assert (await credentials.load()).host == "https://named"


class Projected:
    """A service account as it is mounted into a pod."""

    def __init__(self, folder: Path) -> None:
        self.token, self.certificate = folder / "token", folder / "ca.crt"
        self.certificate.write_text("a certificate")

    def load(self) -> Configuration:
        configuration = Configuration()
        load_incluster_config(  # type: ignore[no-untyped-call]
            client_configuration=configuration,
            token_filename=str(self.token),
            cert_filename=str(self.certificate),
            environ={**os.environ, "KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"},
        )
        return configuration


async def test_a_service_account_says_where_and_who(tmp_path: Path) -> None:
    account = Projected(tmp_path)
    account.token.write_text("projected")
    configuration = account.load()

    assert configuration.host == "https://[fd00::1]:443"
    assert configuration.ssl_ca_cert == str(account.certificate)
    assert await configuration.get_api_key_with_prefix("BearerToken") == "Bearer projected"


@pytest.mark.parametrize("content", ["", None])
def test_a_service_account_without_a_token_is_none(tmp_path: Path, content: str | None) -> None:
    account = Projected(tmp_path)
    if content is not None:
        account.token.write_text(content)

    with pytest.raises(ConfigException):
        account.load()
