"""What the HTTP API promises, over a real connection."""

from __future__ import annotations

import base64
import io
import re

import cv2
import httpx
import numpy as np
import pytest
from PIL import Image as Pil

from relume import weights
from relume.enhancers import enhance, methods
from relume.errors import RelumeError, WeightsError
from relume.faces import detectors
from relume.io import decode
from relume.io.formats import WRITABLE
from relume.web.schema import MEDIA
from relume.web.settings import Settings

from .conftest import Post, opened, packed, picture, running, split_by_brightest


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
    asked = post("enhance?method=gamma", night, accept="image/webp;q=0.4, image/png;q=0.9")
    assert asked.headers["content-type"] == "image/png"
    forced = post("enhance?method=gamma&format=tiff", night, accept="text/html")
    assert forced.headers["content-type"] == "image/tiff"
    assert post("enhance?method=gamma", night, accept="text/html").status_code == 406
    gif = packed(picture().convert("P"), "GIF")
    assert post("enhance?method=gamma", gif).headers["content-type"] == "image/png"


@pytest.mark.parametrize("format", [f for f in WRITABLE if f != "heif"])
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
        "decompose?param=weights=/etc/passwd",
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
    assert set(told["faces"][0]) == {"box", "score", "view", "landmarks"}


def test_a_picture_is_taken_apart(
    post: Post, night: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service's part of it, on the simplest decomposition there is."""
    monkeypatch.setattr("relume.web.handlers.decompose", split_by_brightest)
    strip = post("decompose?height=32", night)
    assert strip.headers["content-type"] == "image/png"
    assert "night.panels.png" in strip.headers["content-disposition"]
    assert opened(strip.content).width > 5 * 40
    told = post("decompose?height=32", night, accept="application/json").json()
    panels = {p["name"]: base64.b64decode(p["data"].split(",")[1]) for p in told["panels"]}
    assert [*panels] == ["input", "reflectance", "illumination", "relit_illumination", "result"]
    assert {opened(data).size for data in panels.values()} == {(48, 32)}
    assert np.mean(opened(panels["result"])) > np.mean(opened(panels["input"]))


@pytest.mark.slow
def test_the_shipped_network_takes_a_picture_apart(post: Post, night: bytes) -> None:
    if "retinexnet" not in weights.entries():
        pytest.skip("the weights of retinexnet are not in the manifest")
    assert post("decompose", night).is_success


def test_panels_stay_small(post: Post, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("relume.web.handlers.decompose", split_by_brightest)
    wide = post("decompose?height=1200", packed(picture(20_000, 2), "PNG"))
    size = opened(wide.content).size
    assert size[0] * size[1] < 30_000_000


def test_views_are_bounded(post: Post, night: bytes) -> None:
    many = ",".join(f"gamma:0.{n}" for n in range(10, 19))
    assert "at most 8" in post(f"detect?detector=haar&views={many}", night).json()["detail"]
    big = packed(picture(1000, 1000))
    answer = post("detect?detector=haar&views=original@4", big)
    assert answer.status_code == 413
    assert "16 megapixels" in answer.json()["detail"]


def test_the_menu_is_the_catalogue(client: httpx.Client) -> None:
    menu = client.get("/v1/methods").json()
    assert [entry["name"] for entry in menu["enhancers"]] == methods().names()
    assert [entry["name"] for entry in menu["detectors"]] == detectors().names()
    by_name = {entry["name"]: entry for entry in menu["enhancers"]}
    for info in methods():
        offered = {p["name"]: p for p in by_name[info.name]["parameters"]}
        assert {"weights", "tile_px"}.isdisjoint(offered)
        for parameter in info.parameters:
            if parameter.name in offered:
                assert offered[parameter.name]["default"] == parameter.default
                assert offered[parameter.name]["high"] == parameter.high
    assert menu["limits"]["megapixels"] == 5.0


def test_health_and_metrics(client: httpx.Client, post: Post, night: bytes) -> None:
    assert client.get("/healthz").json()["status"] == "ok"
    before = _samples(client.get("/metrics").text)
    post("enhance?method=gamma", night)
    client.get("/a/path/nobody/knows")
    text = client.get("/metrics").text
    after = _samples(text)
    counted = 'relume_requests_total{path="/v1/enhance",status="200"}'
    assert after[counted] == before.get(counted, 0) + 1
    assert after["relume_pixels_total"] >= before["relume_pixels_total"] + 60 * 40
    assert 'path="other",status="404"' in text
    assert after["relume_places_taken"] == 0
    assert after["relume_workers"] == 1


def _samples(text: str) -> dict[str, float]:
    """Prometheus' text format, strictly: HELP, TYPE, and samples of the family before them."""
    found, family = {}, ""
    for line in text.splitlines():
        if line.startswith("# "):
            _, word, family, *_ = line.split(" ", 3)
            assert word in ("HELP", "TYPE")
            continue
        name, value = line.rsplit(" ", 1)
        assert name.startswith(family)
        found[name] = float(value)
    return found


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
        assert client.get("/metrics").status_code == 401
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
        links = re.findall(r'(?:href|src)="(/static/[^"]+)"', answer.text)
        links += [f"/static/{name}" for name in re.findall(r'from "\./([\w.]+)"', answer.text)]
        todo += [link for link in links if link not in seen]
    assert {"/static/app.js", "/static/viewer.js", "/static/zip.js", "/static/docs.js"} <= seen


def test_the_description_is_openapi(client: httpx.Client) -> None:
    api = client.get("/openapi.json").json()
    assert {
        "/v1/enhance",
        "/v1/detect",
        "/v1/decompose",
        "/v1/methods",
        "/healthz",
        "/metrics",
    } <= set(api["paths"])
    options = {p["name"]: p for p in api["paths"]["/v1/enhance"]["post"]["parameters"]}
    assert options["strength"]["schema"] == {
        "type": "number", "minimum": 0.0, "maximum": 1.0, "default": 1.0,
    }  # fmt: skip
    assert options["method"]["schema"]["enum"] == methods().names()


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
