"""What the HTTP API promises, over a real connection."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image as Pil

from relume import __version__
from relume.engine.openvino import OpenVinoNetwork
from relume.enhancers import enhance, methods
from relume.enhancers.options import OPTIONS
from relume.errors import RelumeError, WeightsError
from relume.faces import detectors
from relume.faces.registry import _keep_built
from relume.image.exposure import mean_level
from relume.io import decode
from relume.io.formats import WRITABLE
from relume.photo import Meta, Photo
from relume.web.handlers import MEDIA
from relume.web.query import METHODS
from relume.web.settings import Settings

from .conftest import Post, opened, packed, picture, running


def test_the_answer_is_the_core_s_own(post: Post, night: bytes) -> None:
    answer = post("enhance?method=gamma:0.4&strength=0.8&format=png", night)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "image/png"
    photo = decode(night)
    wanted = enhance(photo, method="gamma:0.4", strength=0.8)
    np.testing.assert_array_equal(
        decode(answer.content).pixels,
        np.float32(np.rint(wanted.pixels * 255) / np.float32(255)),
    )


def test_the_type_is_the_upload_s_unless_asked(post: Post, night: bytes) -> None:
    assert post("enhance?method=gamma", night).headers["content-type"] == "image/jpeg"
    webp = packed(picture(), "WEBP")
    assert post("enhance?method=gamma", webp).headers["content-type"] == "image/webp"
    gif = packed(picture().convert("P"), "GIF")
    assert post("enhance?method=gamma", gif).headers["content-type"] == "image/png"


@pytest.mark.parametrize("format", [f for f, found in WRITABLE.items() if found.extra is None])
def test_every_format_can_be_asked_for(post: Post, night: bytes, format: str) -> None:
    answer = post(f"enhance?method=gamma&format={format}", night)
    assert answer.headers["content-type"] == MEDIA[format]
    assert decode(answer.content).pixels.shape == (40, 60, 3)


def test_depth_alpha_and_metadata_are_kept(post: Post) -> None:
    deep = np.full((20, 30, 4), 900, np.uint16)
    deep[:, 15:, :3] = 4000
    deep[:10, :, 3] = 65535
    back = post("enhance?method=gamma", bytes(cv2.imencode(".png", deep)[1]), name="deep.png")
    out = cv2.imdecode(np.frombuffer(back.content, np.uint8), cv2.IMREAD_UNCHANGED)
    assert out.dtype == np.uint16
    np.testing.assert_array_equal(out[:, :, 3], deep[:, :, 3])
    exif = Pil.Exif()
    exif[0x010F] = "Camera maker"
    relit = post("enhance?method=gamma", packed(picture(), exif=exif.tobytes()))
    assert opened(relit.content).getexif()[0x010F] == "Camera maker"


def test_the_body_may_be_the_picture(client: httpx.Client, night: bytes) -> None:
    for kind in ("image/jpeg", "application/octet-stream"):
        answer = client.post(
            "/v1/enhance?method=gamma", content=night, headers={"content-type": kind}
        )
        assert answer.status_code == 200, answer.text


def test_it_says_how_long_each_step_took(post: Post, night: bytes) -> None:
    timing = post("enhance?method=gamma", night).headers["server-timing"]
    assert re.findall(r"(\w+);dur=\d+\.\d", timing) == ["queue", "decode", "enhance", "encode"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("night.jpg", "night.relume.jpg"),
        ("../../etc/passwd", "passwd.relume.jpg"),
        ("C:\\Bilder\\n.jpeg", "n.relume.jpg"),
        ("Nacht über Köln.jpg", "Nacht%20%C3%BCber%20K%C3%B6ln.relume.jpg"),
        ("", "photo.relume.jpg"),
        ("a" * 4000 + ".jpg", "a" * 108 + ".relume.jpg"),
    ],
)
def test_names_are_kept_without_their_paths(post: Post, night: bytes, name: str, told: str) -> None:
    answer = post("enhance?method=gamma", night, name=name or "..")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-disposition"].endswith(f"filename*=UTF-8''{told}")


def test_an_option_s_error_is_the_core_s(post: Post, night: bytes) -> None:
    """One definition: HTTP says word for word what Python says."""
    for query, call in {
        "strength=2&method=gamma": {"strength": 2.0, "method": "gamma"},
        "brightness=0.4&method=gamma": {"brightness": 0.4, "method": "gamma"},
        "method=gama": {"method": "gama"},
        "method=gamma:9": {"method": "gamma:9"},
        "method=gamma&param=exponent=9": {"method": "gamma", "parameters": {"exponent": "9"}},
        "method=gamma&param=gain=1": {"method": "gamma", "parameters": {"gain": "1"}},
        "method=clahe&param=grid=2.5": {"method": "clahe", "parameters": {"grid": "2.5"}},
    }.items():
        with pytest.raises(RelumeError) as raised:
            enhance(decode(night), **call)
        answer = post(f"enhance?{query}", night)
        assert (answer.status_code, answer.json()["detail"]) == (422, str(raised.value)), query


def test_what_is_wrong_with_this_machine_is_for_its_log(
    post: Post, night: bytes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise WeightsError("put it into /home/somebody/.cache/relume/x.onnx")

    monkeypatch.setattr("relume.web.handlers.enhance", missing)
    answer = post("enhance?method=gamma", night)
    assert (answer.status_code, answer.json()["error"]) == (503, "WeightsError")
    assert "/home/" not in answer.text
    assert "its log says why" in answer.text
    assert "put it into /home/somebody" in caplog.text


@pytest.mark.parametrize("explain", [True, False])
def test_without_the_detectors_weights_the_way_out_is_the_services(
    night: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, explain: bool
) -> None:
    monkeypatch.setenv("RELUME_CACHE", str(tmp_path / "a file"))
    (tmp_path / "a file").touch()
    _keep_built.cache_clear()
    with running(Settings(explain=explain)) as own:
        files = {"file": ("night.jpg", night)}
        answer = httpx.post(f"{own.url}/v1/detect?detector=yunet", files=files, timeout=60)
        usual = httpx.post(f"{own.url}/v1/detect", files=files, timeout=60)
    assert usual.status_code == 200, "the shipped detector needs none"
    assert (answer.status_code, answer.json()["error"]) == (503, "WeightsError")
    told = answer.json()["detail"]
    assert "; or ask for detector=relume (on the page: Detector, relume)" in told
    assert "--detector" not in told
    assert (str(tmp_path) in told) is explain


@pytest.mark.parametrize(
    ("query", "part"),
    [
        ("strenght=1", "did you mean 'strength'?"),
        ("strength=1&strength=0", "strength was given twice"),
        ("strength=nan", "strength must be 0 to 1"),
        ("protect_lit=perhaps", "protect_lit must be true or false"),
        ("format=bmp", "format must be one of jpeg"),
        ("quality=0", "quality must be 1 to 100"),
        ("method=gamma&param=exponent", "param takes NAME=VALUE"),
        ("method=auto-exposure&brightness=bright", "brightness must be above 0 and at most 1, or"),
    ],
)
def test_options_out_of_range_are_told(post: Post, night: bytes, query: str, part: str) -> None:
    answer = post(f"enhance?{query}", night)
    assert answer.status_code == 422
    assert part in answer.json()["detail"]


@pytest.mark.parametrize(
    "path",
    [
        "enhance?method=retinexnet&param=weights=/etc/passwd",
        "enhance?method=retinexnet:weights=/etc/passwd",
        "enhance?method=retinexnet&param=tile_px=8192",
        "detect?detector=s3fd:checkpoint=/etc/passwd",
        "detect?views=retinexnet:weights=/etc/passwd",
    ],
)
def test_nobody_names_a_file_or_the_memory(post: Post, night: bytes, path: str) -> None:
    answer = post(path, night)
    assert answer.status_code == 422
    assert "cannot be set over HTTP" in answer.json()["detail"]


def test_faces_come_as_json(post: Post) -> None:
    skimage = pytest.importorskip("skimage.data", reason="needs scikit-image's picture")
    data = packed(Pil.fromarray(skimage.astronaut()[:240, 120:360]))
    answer = post("detect?detector=haar&views=original,gamma:0.6", data, name="a.jpg")
    assert answer.status_code == 200, answer.text
    told = answer.json()
    assert (told["photo"], told["width"], told["height"]) == ("a.jpg", 240, 240)
    assert told["views"] == ["original"], "a lit photograph needs no other"
    assert (told["detector"], told["threshold"]) == ("haar", 0.6)
    box = told["faces"][0]["box"]
    assert box["x0"] < 105 < box["x1"]
    assert box["y0"] < 115 < box["y1"]
    assert 0 < told["faces"][0]["score"] <= 1
    assert set(told["faces"][0]) == {"box", "score", "view", "landmarks", "quality"}


def test_views_are_bounded(post: Post, night: bytes) -> None:
    many = ",".join(f"gamma:0.{n}" for n in range(10, 19))
    assert "at most 8" in post(f"detect?detector=haar&views={many}", night).json()["detail"]
    big = packed(picture(1000, 1000))
    answer = post("detect?detector=haar&views=original@4", big)
    assert answer.status_code == 413
    assert "16 megapixels" in answer.json()["detail"]


def test_the_menu_is_the_catalogue(client: httpx.Client) -> None:
    menu = client.get("/v1/methods").json()
    assert [entry["name"] for entry in menu["enhancers"]] == METHODS
    assert "onnx" not in METHODS, "a request could name the server's files"
    without_file = [info.name for info in detectors() if not info.needs_file]
    assert [entry["name"] for entry in menu["detectors"]] == without_file
    by_name = {entry["name"]: entry for entry in menu["enhancers"]}
    for info in (methods().info(name) for name in METHODS):
        offered = {p["name"]: p for p in by_name[info.name]["parameters"]}
        assert {"weights", "tile_px", "ensemble"}.isdisjoint(offered)
        for parameter in info.parameters:
            if parameter.name in offered:
                usual = parameter.default if parameter.name == "half_above_mp" else parameter.high
                assert offered[parameter.name]["default"] == parameter.default
                assert offered[parameter.name]["high"] == usual
    assert menu["limits"]["megapixels"] == 5.0


def test_the_token_guards_pictures_and_numbers(night: bytes) -> None:
    with running(Settings(token="sésame")) as one, httpx.Client(base_url=one.url) as client:
        files = {"file": ("n.jpg", night)}
        for given in ("", "Bearer wrong", "Basic sésame", "Bearer sésame2"):
            headers = {"authorization": given.encode()} if given else {}
            answer = client.post("/v1/enhance?method=gamma", files=files, headers=headers)
            assert answer.status_code == 401
            assert answer.headers["www-authenticate"] == "Bearer"
            assert "sésame" not in answer.text
        headers = {"authorization": "Bearer sésame".encode("latin-1")}
        assert client.post("/v1/enhance?method=gamma", files=files, headers=headers).is_success
        api = client.get("/openapi.json").json()
        assert [*api["components"]["securitySchemes"].values()] == [
            {"type": "http", "scheme": "bearer"}
        ]
        assert client.get("/healthz").is_success
        assert client.get("/").is_success


def test_other_sites_are_turned_away_unless_named(night: bytes) -> None:
    friend = "https://album.example"
    origin = {"origin": friend, "sec-fetch-site": "cross-site"}
    files = {"file": ("n.jpg", night)}
    path = "/v1/enhance?method=gamma"
    with running(Settings()) as one, httpx.Client(base_url=one.url) as client:
        assert client.post(path, files=files, headers=origin).status_code == 403
        plain = client.post(path, files=files, headers={"origin": friend})
        assert "access-control-allow-origin" not in plain.headers
    allowed = Settings(cors_origins=(friend,))
    with running(allowed) as one, httpx.Client(base_url=one.url) as client:
        answer = client.post(path, files=files, headers=origin)
        assert answer.headers["access-control-allow-origin"] == friend
        stranger = {"origin": "https://x.example", "sec-fetch-site": "cross-site"}
        assert client.post(path, files=files, headers=stranger).status_code == 403


def test_pages_are_whole_and_need_nobody_else(client: httpx.Client) -> None:
    seen: set[str] = set()
    todo = ["/", "/docs"]
    while todo:
        path = todo.pop()
        answer = client.get(path)
        assert answer.is_success, path
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        seen.add(path)
        if not answer.headers["content-type"].startswith(("text/", "image/svg", "application/")):
            continue
        foreign = re.findall(r"https?://[^\"'\s)]+", answer.text)
        assert {link for link in foreign if "w3.org" not in link} == set(), path
        assert not re.findall(r'(?:href|src)="/', answer.text), "works below a proxy's path, too"
        links = [f"/{at}" for at in re.findall(r'(?:href|src)="(static/[^"]+)"', answer.text)]
        links += [f"/static/{name}" for name in re.findall(r'from "\./([\w.]+)"', answer.text)]
        todo += [link for link in links if link not in seen]
    assert {"/static/app.js", "/static/viewer.js", "/static/zip.js"} <= seen


def test_the_description_is_openapi(client: httpx.Client) -> None:
    api = client.get("/openapi.json").json()
    assert {
        "/v1/enhance",
        "/v1/detect",
        "/v1/methods",
        "/healthz",
    } <= set(api["paths"])
    options = {p["name"]: p for p in api["paths"]["/v1/enhance"]["post"]["parameters"]}
    strength = options["strength"]["schema"]
    assert (strength["minimum"], strength["maximum"], strength["default"]) == (0, 1, 1)
    number, word = options["brightness"]["schema"]["anyOf"]
    assert (number["exclusiveMinimum"], number["maximum"]) == (0, 1)  # 0 is refused
    assert "minimum" not in number
    assert word["const"] == "auto"
    for name in METHODS:
        assert re.search(options["method"]["schema"]["pattern"], name)
    shared = {p.name for p in OPTIONS}
    assert set(options) == {"method", "param", "format", "quality"} | shared


def test_unknown_places_answer_json(client: httpx.Client) -> None:
    assert client.get("/nowhere").json() == {"error": "NotFound", "detail": "Not Found"}
    wrong = client.get("/v1/enhance")
    assert (wrong.status_code, wrong.headers["allow"]) == (405, "POST")
    assert client.get("/static/../app.py").status_code == 404
    assert client.get("/static/%2e%2e/app.py").status_code == 404


def test_orientation_is_applied(post: Post) -> None:
    exif = Pil.Exif()
    exif[0x0112] = 6
    answer = post("enhance?method=gamma", packed(picture(60, 40), exif=exif.tobytes()))
    assert opened(answer.content).size == (40, 60)
    assert Pil.open(io.BytesIO(answer.content)).getexif().get(0x0112, 1) == 1


def test_the_answer_says_how_bright_it_was_and_is(post: Post, night: bytes) -> None:
    headers = post("enhance?method=auto-exposure&brightness=0.4&format=png", night).headers
    before = mean_level(decode(night).pixels)
    assert float(headers["x-relume-brightness-before"]) == pytest.approx(before, abs=0.001)
    assert float(headers["x-relume-brightness-after"]) == pytest.approx(0.4, abs=0.02)


def test_camera_raw_becomes_jpeg_as_on_the_command_line(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    def raw(data: bytes, **_: object) -> Photo:
        return Photo(np.full((8, 9, 3), 0.1, np.float32), depth_bits=16, meta=Meta(format="raw"))

    monkeypatch.setattr("relume.web.handlers.decode", raw)
    answer = post("enhance?method=gamma", b"II*\0", name="shot.dng")
    assert answer.headers["content-type"] == "image/jpeg"
    assert "shot.relume.jpg" in answer.headers["content-disposition"]


def test_limits_are_round_numbers(post: Post) -> None:
    """A camera's 5 megapixels are 5.08; the limit of this service is 5."""
    fits = packed(Pil.new("L", (2600, 1953)), "PNG")
    assert post("enhance?method=original", fits).is_success
    refused = post("enhance?method=original", packed(Pil.new("L", (2600, 2000)), "PNG"))
    assert refused.status_code == 413
    assert "5.2 megapixels, more than the limit of 5;" in refused.json()["detail"]


def test_the_menu_names_every_readable_ending(client: httpx.Client) -> None:
    suffixes = client.get("/v1/methods").json()["readable_suffixes"]
    assert {".pef", ".jpg", ".heic", ".gif", ".x3f"} <= set(suffixes)


def test_other_names_than_its_own_are_refused(night: bytes) -> None:
    """Another site's name may point here (DNS rebinding): its pages would be let in."""
    settings = Settings(hosts=("photos.example",))
    with running(settings) as one, httpx.Client(base_url=one.url) as client:
        for host in ("evil.example", "evil.example:80", "localhost.evil.example", ":80"):
            for path in ("/", "/healthz", "/v1/methods"):
                answer = client.get(path, headers={"host": host})
                assert answer.status_code == 403, (host, path)
                assert "--allow-host" in answer.json()["detail"]
        for host in ("localhost", "LOCALHOST:1", "127.0.0.1:9", "[::1]:9", "Photos.Example"):
            assert client.get("/v1/methods", headers={"host": host}).is_success, host
    with running(Settings(hosts=("*",))) as one:
        assert httpx.get(one.url, headers={"host": "any.example"}).is_success


def test_on_one_s_own_machine_the_cause_is_said(
    night: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: object, **__: object) -> None:
        raise WeightsError("put it into /home/me/.cache/relume/x.onnx")

    monkeypatch.setattr("relume.web.handlers.enhance", missing)
    with running(Settings(explain=True)) as one:
        files = {"file": ("n.jpg", night)}
        answer = httpx.post(f"{one.url}/v1/enhance?method=gamma", files=files)
        assert answer.json()["detail"] == "put it into /home/me/.cache/relume/x.onnx"


def test_health_says_how_busy_it_is(client: httpx.Client) -> None:
    assert client.get("/healthz").json() == {
        "status": "ok", "version": __version__, "slots": 33, "taken": 0,
    }  # fmt: skip


def test_nothing_that_is_asked_for_makes_a_network_work_much_harder(
    client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each parameter at both its ends: a stranger chooses a look, not the memory and the time."""
    worked: list[int] = []
    infer = OpenVinoNetwork.__call__

    def counted(self: OpenVinoNetwork, inputs: Mapping[str, Any]) -> dict[str, Any]:
        worked.append(sum(array.size for array in inputs.values()))
        return infer(self, inputs)

    monkeypatch.setattr(OpenVinoNetwork, "__call__", counted)
    photo = packed(picture(2400, 1800))  # above the size that is halved

    def cost(query: str) -> int:
        worked.clear()
        answer = client.post(f"/v1/enhance?{query}", files={"file": ("n.jpg", photo)})
        assert answer.status_code == 200, answer.text
        return sum(worked)

    entries = client.get("/v1/methods").json()["enhancers"]
    for entry in (one for one in entries if one["name"] in ("relume", "machine")):
        usual = cost(f"method={entry['name']}")
        assert usual > 0
        for parameter in entry["parameters"]:
            high = cost(f"method={entry['name']}&param={parameter['name']}={parameter['high']}")
            assert high <= 1.2 * usual, parameter["name"]
    for words in ("half_above_mp=1000", "ensemble=8"):
        answer = client.post(f"/v1/enhance?param={words}", files={"file": ("n.jpg", photo)})
        assert answer.status_code == 422
