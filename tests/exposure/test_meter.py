"""Metering: which light counts, what is lifted, what is left."""

import cv2
import numpy as np
import pytest

import relume
from relume.errors import ParameterError
from relume.exposure.aim import Aim
from relume.exposure.constants import MOST_GAIN
from relume.exposure.curve import Curve, expose_directly, ratio
from relume.exposure.maps import check_stops, fit_stops
from relume.exposure.meter import meter
from relume.exposure.plan import network_share, plan
from relume.image.color import luma
from relume.image.darken import Camera, darken, render, scene_light, through_jpeg
from relume.image.exposure import mean_level
from relume.photo import Image


def scene(height: int = 240, width: int = 320) -> Image:
    """A textured picture of many colours, well exposed."""
    rng = np.random.default_rng(5)
    coarse = rng.uniform(0.1, 0.9, (12, 16, 3)).astype(np.float32)
    smooth = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(smooth + rng.normal(0, 0.01, smooth.shape), 0, 1).astype(np.float32)


def night(lamp: float = 1.0) -> Image:
    """A dark street with a lamp that has veins."""
    light = scene_light(scene()) * np.float32(0.01)
    veins = 0.3 + 0.15 * np.sin(np.arange(60, dtype=np.float32) / 2)
    light[60:120, 100:160] = lamp * veins[:, None, None] * np.float32([1, 0.7, 0.3])
    return render(light) + np.random.default_rng(0).normal(0, 0.004, light.shape).astype(np.float32)


def framed(picture: Image, border: int, value: float) -> Image:
    return np.pad(
        picture, ((border,) * 2, (2 * border,) * 2, (0, 0)), constant_values=np.float32(value)
    )


@pytest.mark.parametrize("softness", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("gain", [0.3, 1.0, 4.0, MOST_GAIN])
def test_the_curve_changes_no_order(gain: float, softness: float) -> None:
    base = np.linspace(0, 1, 201, dtype=np.float32)
    after = base * ratio(base, gain, softness)
    assert (np.diff(after) > -1e-5).all()
    assert after[0] == 0
    assert after[-1] == pytest.approx(1, abs=1e-4)


def test_the_gain_meets_the_brightness_by_its_curve() -> None:
    dark = darken(scene(), 0.05, np.random.default_rng(1))
    reading = meter(dark)
    for brightness in (0.2, 0.4, 0.6):
        gain = reading.shadow_gain(brightness, 0.5, bounded=False)
        assert reading.mean_at(gain, 0.5) == pytest.approx(brightness, rel=0.03)
        assert mean_level(relume.enhance(dark, brightness=brightness)) == pytest.approx(
            brightness, rel=0.02
        )


def test_shadows_are_lifted_and_lamps_stay() -> None:
    photo = np.clip(night(), 0, 1)
    reading = meter(photo)
    softness = reading.softness(0.2)
    gain = reading.shadow_gain(0.2, softness)
    curve = Curve(gain, softness, reading.toe, overall=1.0, local=1.0)
    factor = curve.factor(photo, reading.slope, reading.offset)
    assert factor[200:, 200:].mean() > 2 * factor[75:105, 115:145].mean()
    assert factor[75:105, 115:145].mean() < 1.8
    lamp = (slice(75, 105), slice(115, 145))
    kept = luma(expose_directly(photo, factor))[lamp].std() / luma(photo)[lamp].std()
    assert kept > 0.9  # one exposure for all leaves nothing of it


def test_a_lamp_keeps_its_veins_and_its_hue() -> None:
    photo, lamp = np.clip(night(), 0, 1), np.s_[75:105, 115:145]
    result = relume.enhance(photo)
    assert luma(result)[lamp].std() > 0.9 * luma(photo)[lamp].std()
    before, after = (x[lamp].mean(axis=(0, 1)) for x in (photo, result))
    np.testing.assert_allclose(after / after.max(), before / before.max(), atol=0.1)


def test_there_is_no_halo_at_an_edge() -> None:
    """Beside a window the wall is exposed as the rest of the wall is."""
    wall = np.full((200, 300, 3), 0.05, np.float32)
    wall[:, 150:] = 0.8
    wall += np.random.default_rng(0).normal(0, 0.003, wall.shape).astype(np.float32)
    reading = meter(wall)
    curve = Curve(6.0, 1.0, reading.toe, overall=1.0, local=1.0)
    factor = curve.factor(wall, reading.slope, reading.offset)
    column = factor.mean(axis=0)
    assert np.abs(column[100:146] / column[20:60].mean() - 1).max() < 0.12
    assert np.abs(column[154:200] / column[240:280].mean() - 1).max() < 0.12


@pytest.mark.parametrize(("value", "within"), [(0.0, 0.03), (1.0, 0.07)])
def test_bars_and_frames_do_not_count(value: float, within: float) -> None:
    dark = darken(scene(), 0.1, np.random.default_rng(1))
    bare, frame = relume.enhance(dark), relume.enhance(framed(dark, 100, value))
    inside = frame[100:-100, 200:-200]
    assert mean_level(inside) == pytest.approx(mean_level(bare), abs=within)


def test_a_lit_photo_between_bars_keeps_its_light() -> None:
    picture = framed(np.rint(scene() * 255).astype(np.float32) / 255, 120, 0.0)
    assert np.abs(relume.enhance(picture) - picture).max() < 2 / 255


@pytest.mark.parametrize("level", [0, 2, 255])
def test_a_frame_that_shows_nothing_is_left(level: int) -> None:
    flat = np.full((90, 120, 3), level, np.uint8)
    assert (relume.enhance(flat) == flat).all()


def test_noise_alone_is_no_picture() -> None:
    noise = np.random.default_rng(0).integers(0, 4, (200, 300, 3)).astype(np.uint8)
    assert relume.enhance(noise).max() <= 6


@pytest.mark.parametrize("seed", range(3))
def test_deep_noise_hides_no_picture(seed: int) -> None:
    """What both halves of a frame show is the picture, however noisy; noise shows nothing."""
    rng = np.random.default_rng(seed)
    camera = Camera.draw_real(rng)
    dark = darken(scene(480, 640), 0.003, rng, camera=camera)
    nothing = darken(np.zeros((480, 640, 3), np.float32), 0.003, rng, camera=camera)
    assert meter(dark).evidence > 0.95
    assert meter(nothing).evidence < 0.2
    dark[200:206, 300:306] = 1.0  # a lamp as small as one square
    assert meter(dark).evidence > 0.95


def test_a_black_sky_stays_black_beside_the_moon() -> None:
    sky = np.full((300, 400, 3), [3, 3, 6], np.uint8)
    cv2.circle(sky, (200, 150), 40, (220, 220, 200), -1, cv2.LINE_AA)
    assert relume.enhance(sky)[:60].mean() < 10


def test_the_darkest_of_a_night_with_lamps_stays_dark() -> None:
    """One level beside lamps is mostly JPEG's; in a room without lamps it may be a face."""
    light = np.full((200, 300), 20 / 255, np.float32)
    light[:80] = 1 / 255
    light += np.random.default_rng(0).normal(0, 0.2 / 255, light.shape).astype(np.float32)
    room = np.maximum(light, 0)[..., None] * np.ones(3, np.float32)
    with_lamps = room.copy()
    with_lamps[100:130, 100:130] += 0.8
    for photo, least, most in ((room, 0.65, 0.8), (with_lamps, 0.25, 0.5)):
        reading = meter(photo)
        lift = Curve(8.0, 0.0, reading.toe, overall=1.0, local=1.0).at(reading.base) - 1
        assert least < lift[10, 10] / lift[60, 110] < most


def test_a_turned_photo_gets_the_same_exposure() -> None:
    dark = darken(scene(256, 256), 0.08, np.random.default_rng(1))
    upright = mean_level(relume.enhance(dark))
    for turned in (np.rot90(dark), np.rot90(dark, 2), dark[:, ::-1], dark.transpose(1, 0, 2)):
        got = mean_level(relume.enhance(np.ascontiguousarray(turned)))
        assert got == pytest.approx(upright, abs=0.01)


def test_a_photo_that_is_dark_all_over_gets_one_exposure() -> None:
    dark = darken(scene(), 0.03, np.random.default_rng(1))
    assert meter(dark).lit == 0
    assert meter(np.clip(night(), 0, 1)).lit == 1
    local, even = (relume.enhance(dark, brightness=0.4, local=share) for share in (1, 0))
    assert np.abs(local - even).mean() < 0.01


def test_an_evenly_dim_photo_gets_one_exposure() -> None:
    """What is lit in it has room below white, so that a curve would only flatten it."""
    dim = (0.55 * scene()).astype(np.float32)
    dim[100:106, 100:106] = 1.0  # something shines
    assert meter(dim).lit > 0.9
    local, even = (relume.enhance(dim, brightness=0.42, local=share) for share in (1, 0))
    assert np.abs(local - even).mean() < 0.012
    assert meter(dim).needs_curve(1.2) == 0
    assert meter(dim).needs_curve(4.0) == meter(dim).lit


def test_local_goes_from_one_exposure_to_the_metered_one() -> None:
    photo = np.clip(night(), 0, 1)
    lamp = [
        float(luma(relume.enhance(photo, local=share, brightness=0.3))[75:105, 115:145].std())
        for share in (0, 0.5, 1)
    ]
    assert lamp[0] < lamp[2]
    with pytest.raises(ParameterError, match="local must be"):
        relume.enhance(photo, local=1.5)
    with pytest.raises(ParameterError, match="gamma takes no local"):
        relume.enhance(photo, method="gamma", local=1)


@pytest.mark.parametrize("options", [{}, {"local": 0.5}, {"brightness": 0.3}])
def test_what_a_map_leaves_alone_stays_as_it_is(options: dict[str, float]) -> None:
    photo, stops = np.clip(night(), 0, 1), np.zeros((12, 16))
    before = relume.enhance(photo, **options)  # type: ignore[arg-type]
    even = relume.enhance(photo, exposure=stops, **options)  # type: ignore[arg-type]
    assert np.abs(even - before).mean() < 0.005
    stops[:, :4] = 1
    after = relume.enhance(photo, exposure=stops, **options)  # type: ignore[arg-type]
    assert after[:, :60].mean() > 1.1 * before[:, :60].mean()
    assert np.abs(after - before)[:, 140:].mean() < 0.008


def test_an_exposure_map_lights_its_places() -> None:
    dark = darken(scene(), 0.05, np.random.default_rng(1))
    plain = relume.enhance(dark)
    stops = np.zeros((6, 8), np.float32)
    stops[:, :3], stops[:, 5:] = 1, -1
    lit = relume.enhance(dark, exposure=stops)
    left, right = (slice(None), slice(0, 80)), (slice(None), slice(240, None))
    assert mean_level(lit[left]) > mean_level(plain[left]) + 0.05
    assert mean_level(lit[right]) < mean_level(plain[right]) - 0.05
    even = relume.enhance(dark, exposure=np.zeros((2, 2)))
    assert mean_level(even) == pytest.approx(mean_level(plain), rel=0.1)


def test_a_map_and_tiles_are_a_map_and_the_whole() -> None:
    dark = darken(scene(400, 480), 0.05, np.random.default_rng(1))
    stops = np.float32([[1, -1], [0, 2]])
    whole = relume.enhance(dark, exposure=stops)
    tiled = relume.enhance(dark, exposure=stops, parameters={"tile_px": 256})
    assert np.abs(whole - tiled).max() < 1e-4


@pytest.mark.parametrize(
    ("stops", "says"),
    [
        (np.zeros((3, 4, 3)), r"\(3, 4, 3\)"),
        (np.zeros(4), r"\(4,\)"),
        ([[1.0]], "list"),
        (np.array([[np.nan]]), "from -8 to 8"),
        (np.array([[9.0]]), "from -8 to 8"),
        (np.array([["a"]]), "numbers"),
        (np.zeros((0, 4)), r"\(0, 4\)"),
    ],
)
def test_what_is_no_map_is_refused(stops: object, says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        check_stops(stops)  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="takes no exposure map"):
        relume.enhance(scene(), method="gamma", exposure=np.zeros((2, 2)))


def test_a_small_map_follows_the_photos_edges() -> None:
    photo = np.full((120, 160, 3), 0.1, np.float32)
    photo[:, 87:] = 0.6
    stops = np.zeros((6, 8), np.float32)
    stops[:, 4:] = 1  # the border between its cells lies 7 px left of the edge
    fitted = fit_stops(stops, photo)
    assert fitted.shape == (120, 160)
    steepest = int(np.abs(np.diff(fitted.mean(axis=0))).argmax())
    assert 84 <= steepest <= 89
    large = np.random.default_rng(0).normal(0, 1, photo.shape[:2]).astype(np.float32)
    assert fit_stops(large, photo) is large


def test_what_is_not_lifted_needs_no_network() -> None:
    assert (network_share(np.ones((2, 2), np.float32)) == 0).all()
    assert (network_share(np.full((2, 2), 3, np.float32)) == 1).all()


def test_exposing_directly_keeps_hues() -> None:
    lamp = np.full((2, 2, 3), [0.8, 0.5, 0.2], np.float32)
    brighter = expose_directly(lamp, np.full((2, 2), 3, np.float32))
    np.testing.assert_allclose(brighter[0, 0], [1, 0.625, 0.25], rtol=1e-5)


def dim_room(boards: float) -> Image:
    """A dark cabinet beside white boards of this value in the same dim light."""
    rng = np.random.default_rng(4)
    room = np.full((180, 260, 3), [0.05, 0.035, 0.025], np.float32)
    room *= 1 + 0.4 * np.sin(np.arange(260, dtype=np.float32) / 5)[None, :, None]
    room[:, 190:] = boards
    room[40:140:20, 190:] *= 0.9
    return np.clip(room + rng.normal(0, 0.004, room.shape), 0, 1).astype(np.float32)


def test_white_in_dim_light_is_no_lamp() -> None:
    """It gets the exposure of all the rest; what shines gets one of its own."""
    assert meter(dim_room(0.4)).lit == 0
    assert meter(dim_room(0.95)).lit == 1
    dim = dim_room(0.4)
    local, even = (relume.enhance(dim, brightness=0.45, local=share) for share in (1, 0))
    assert np.abs(local - even).mean() < 0.01
    lamp = dim.copy()
    lamp[60:70, 60:70] = 1.0  # small, and clipped: this is a place with lamps
    assert meter(lamp).lit > 0.5


def test_the_lights_of_a_scene_come_up_without_a_jump() -> None:
    lit = [meter(dim_room(float(boards))).lit for boards in np.linspace(0.2, 1, 33)]
    assert lit[0] == 0
    assert lit[-1] == 1
    assert (np.diff(lit) >= 0).all()
    assert np.diff(lit).max() < 0.35


@pytest.mark.parametrize("quality", [70, 85])
def test_a_night_as_jpeg_is_exposed_as_its_png_where_a_level_is_asked_for(quality: int) -> None:
    """Dark tiles that JPEG made flat are no bars: else a small lamp is half of what is seen."""
    light = scene_light(scene(480, 640)) * np.float32(0.004)
    light[60:86, 100:126] = 1
    light[300:312, 500:520] = np.float32([1, 0.7, 0.4])
    camera = Camera(red_gain=1, blue_gain=1, shot=1e-5, read=3e-8, jpeg_quality=100)
    street = darken(render(light), 1.0, np.random.default_rng(0), camera=camera)
    saved = through_jpeg(street, quality)
    asked = Aim(0.4, "frame", "asked")
    assert meter(saved).weight.mean() < 0.5 < meter(street).weight.mean()
    png, jpeg = (plan(image, asked).curve for image in (street, saved))
    assert png is not None
    assert jpeg is not None
    assert jpeg.toe == pytest.approx(png.toe, rel=0.1)
    assert jpeg.local == pytest.approx(png.local, abs=0.05)
    assert jpeg.softness == pytest.approx(png.softness, abs=0.05)
    purple = []
    for photo in (street, saved):
        relit = relume.enhance(photo, brightness=0.4, expose_for="scene")
        tiles = relit.reshape(60, 8, 80, 8, 3).mean(axis=(1, 3))
        around = cv2.blur(tiles.max(axis=2), (3, 3))
        assert not ((tiles.max(axis=2) < 10 / 255) & (around > 60 / 255)).any()
        tint = tiles[..., ::2].min(axis=2) - tiles[..., 1]
        purple.append(float((tint - cv2.blur(tint, (5, 5))).max()))
    assert purple[1] < purple[0] + 0.05  # the scene has purples of its own
