"""The numbers of the exposure: what is metered, what faces lack, what stays as it was.

Each stands here once.
"""

from __future__ import annotations

# --- what parts of a frame agree in ---

PARTED_SIDE_PX = 128
"""Longer side of the copy that is read: a cell of it averages a large photo's noise."""
PARTS = 4
"""The frame is parted into so many times so many."""

# --- the camera's black ---

BLACK_DARKEST = 0.02
"""The share of a part's cells that its darkest place is taken from."""
BLACK_BAR_RANGE = 0.5 / 255
"""Rows and columns at the border whose cells differ by less are bars and hold no photograph."""
BLACK_APART, BLACK_APART_SHARE = 2.0 / 255, 0.1
"""How far two parts' darkest places lie apart that agree: so much, and that share of the level."""
BLACK_AGREEING = (2.0, 4.0)
"""Parts that agree (the second darkest is the level, so two always do): none, and enough."""
BLACK_BELOW = (0.6, 0.75)
"""The darkest cells over the level, channels added up: something lies below it, and nothing."""
BLACK_LIFTED = (2.0 / 255, 4.0 / 255)
"""A level of the channel that is lifted most: rounding and JPEG leave the first by themselves."""
BLACK_MOST = (20.0 / 255, 28.0 / 255)
"""The same, as cameras lift blacks by at most, and as none does."""
BLACK_LIGHT = (1.5, 2.5)
"""Light above the level, over the level, all channels together: up to the first it counts, and from
the second on there is nothing to gain.

Measured on 131 real dark photographs: .5 to .9 on the 17 near-black ones of a phone with lifted
blacks, 2.4 on one in red light, and above 4.3 on all others but three studio portraits before a
black backdrop (docs/real-darkness.md).
"""

BLACK_SHOWS = (0.02, 0.06)
"""The same, up to which a frame shows nothing, so that nothing is known of its black, and from
which it does."""
BLACK_LEFT = 1.0 / 255
"""What is left of it: noise and rounding lie around the black, and half of them would be cut off,
which makes shapes of noise. On the phone's photographs YuNet sees .9 false faces each without it
and .3 with it."""

# --- the colour of the light ---

CAST_SIGNAL, CAST_CLIPS = 3.0 / 255, 0.8
"""Luma of a cell from which its colour is a colour and not rounding, and its largest channel from
which it may be clipped."""
CAST_HELD = 0.1
"""The share of a part's cells, at least, that are between the two, and so are their neighbours."""
CAST_ROUNDED = 0.2 / 255
"""What is added to the mean edges of a part, so that rounding has no colour."""
CAST_PARTS = (5.0, 8.0)
"""Parts that hold a signal: none is believed, and enough."""
CAST_SPREAD = (0.2, 0.45)
"""How far parts lie from the median (half of them exceed it; red and blue added up), over how warm
that is: they agree, and they do not."""
CAST_MOST = (1.1, 1.6)
"""Stops that red or blue are off by: as lamps are, and red light that is meant."""
CAST_WARM = (0.5, 1.0)
"""Stops of red over blue: skin and wood are as warm as the first, lamps as the second."""
CAST_GREENER = (0.1, 0.4)
"""Stops of green over red: lamps are not greener than the first, lawns are than the second."""
CAST_BLUER = (0.05, 0.25)
"""Stops of green over blue: pink has less than the first, lamps have more than the second.

Of LOL's pictures whose references keep their colour four were read as pink; one that was told its
level lost 1.1 dB by it."""
CAST_GLOWS = (0.8, 1.0)
"""Largest channel of a result up to which it loses a cast, and from which it is a lamp's glow."""

# --- what is metered ---

METER_SIDE_PX = 128
"""Longer side of the copy that is metered."""
METER_RADIUS_PX = 5
EDGE_EPS = 0.002
"""Variance of the root of luma below which a neighbourhood has no edge."""

FLAT_STEP = 0.4 / 255
"""Neighbouring values that differ by less are equal: their place holds no picture."""
FLAT_SAMPLES = 250_000
"""Pixels of the photo, at least, that are compared with their neighbours."""
MOSTLY_FLAT = (0.85, 0.99)
"""Shares of such pixels in a cell from which it counts less, and not at all."""
INNER_SHARE = 0.25
"""Share of the weights that must be left when cells at the border of a frame no longer count."""
LEAST_WEIGHT = 0.05
"""Weight, of the largest, from which a cell is looked for the brightest places, and is content."""

EVIDENCE = (0.3, 0.6)
"""Correlation of the two halves of a frame's cells up to which it shows nothing (what they have in
common is the picture, noise is not), and from which it is a picture."""
SQUARE_PX, SMOOTH_PX = 4, 6
"""Side of the squares of the chequerboard that parts the cells, larger than what a camera's noise
is correlated over; and the radius over which each half is smoothed."""
MOST_EVIDENT = 3.0
"""Light over the mean from which more does not count as evidence: a lamp fills one square."""

LAMPS, BRIGHTEST = 99.5, 98.0
"""Percentiles of the base light that are called the lamps, and the brightest places."""

# --- the brightness that suits a scene ---

SCENE_LIGHT = (0.55, 0.88)
"""Light relative to what is expected of the scene: up to the first a photo is brought to what is
expected, from the second on it keeps what it has."""
LIT_PLACES = (0.25, 0.45)
"""Base light of the brightest places of a photo that is dark all over, and of one with a window."""
SHINES = (0.65, 0.85)
"""Largest value of a cell up to which nothing in a photo shines, and from which something does.

Measured: 15 of LOL's dark pictures with white boards, beds and walls have .30 to .77, 5 nights with
as much light in their brightest places .93 to 1."""
DIM_WHITE = 0.2
"""How much brighter the brightest places must be to be lit places where nothing shines.

What is white in the dim light of the whole scene is exposed with it: by a curve pictures of LOL
(told their level) and of SICE lost up to 11 dB."""
NIGHT = (2.3, 4.0)
NIGHT_CUT = 0.23
"""Light of the brightest places, relative to the mean, of a dark room at most and of a night with
lamps at least; such a night stays darker by the cut, as it is one."""
NIGHT_LEVEL = (0.15, 0.3)
"""Mean levels up to which a photo may be such a night, and from which it is none."""
DIMMEST = 0.28
"""The least brightness that a dark photo is brought to."""

# --- the curve ---

TOE, TOE_BESIDE_LAMPS = 0.6 / 255, 2.0 / 255
"""Base light that is lifted by half of what the curve says: 8 bits hold no signal below the first,
and below the second JPEG and stray light leave none of a night's sky, where there are lamps."""
SHOULDER, SOFT_SHOULDER = 2.5, 1.0
"""p of photos with lit places, and of those whose lamps are far beyond white."""
FAR_BEYOND = (3.0, 8.0)
"""Light of lamps at one exposure for all, times white, from which the shoulder gets softer."""
BEYOND = (0.95, 1.2)
"""The same from which one exposure begins to burn out what is lit, and from which it does."""
HEADROOM = 0.1
"""How far below white the softest shoulder holds what was dark, so that lamps stand out from it."""
TEXTURE_ROOM = 0.98
"""Light that the brightest pixels of a lit texture may reach, so that it stays a texture."""
TEXTURE_PX = 9
"""What is darker than its surroundings and smaller than this is texture (a lamp's veins)."""
MOST_GAIN = 48.0
"""The most that shadows are lifted by: what lies lower is noise in any 8-bit photograph."""
MOST_ASKED = 150.0
"""The same where somebody asked for the brightness: with more, a level of rounding is a grey wall,
and what JPEG rounded away is a hole in it. Of LOL's 485 dark pictures 7 need more to be as bright
as their references."""

# --- the network's part ---

NETWORK_STOPS = (0.1, 0.9)
"""Stops up to which a place is left as it is but for the factor, and from which it is all the
network's: a place that was lit needs no network."""
NETWORK_BRIGHTNESS = (0.01, 0.95)
"""The mean grey levels that the network was trained for."""
GREY_SAMPLES = 60_000
"""Pixels, at least, by which the mean level is found that the network is asked for."""
FRAME_SAMPLES = 250_000
"""Pixels, at least, by which the mean level of a whole frame is brought to its aim."""
MOSTLY_PICTURE = 0.9
"""Share of what counts from which the mean of the whole frame is that of the picture."""

# --- maps of stops ---

MAP_LEAST_PX, MAP_SUBSAMPLE = 8, 4
"""Shorter side of a photo whose edges a coarse map follows, and steps to each of its cells."""
UNTOUCHED_STOPS = 0.05
"""What an exposure map may ask for where the photo's own exposure still holds."""
MOST_STOPS = 8.0
"""What an exposure map may ask for, up or down."""

# --- faces ---

SEARCH_PX = 256
"""Longer side of the copy that is searched: faces from about a 25th of it are found."""
SEARCH_GAIN = 6.0
"""How far shadows are lifted for the search, more than for the result."""
FLOOR = 0.62
"""Luma of a face's highlights from which it is lit well enough, in a photo of usual brightness."""
FACE_DARK = 0.5
"""The share of that floor up to which a place is so dark that a face is looked for."""
USUAL_BRIGHTNESS = 0.45
HIGHLIGHTS = 98
"""Percentile of the luma of a face that is its highlights."""
GIVEN_UP = 0.4
"""Stops below the floor that a face may stay, however dark it was."""
SURENESS = 1.15
"""Stops that are given for each stop far below the floor."""
MOST_FACE_STOPS = 4.0
FACE_INNER = 0.75
"""Size of the ellipse in a face's box that is face."""
FACE_REACH = (1.3, 1.6)
"""Half axes, in widths and heights of the face, of where half its lift is left: to the chest."""
FACE_LOWER = 0.6
"""How far below the face that ellipse's middle is, in its heights."""
FACE_ROOM = 1.2
"""Base light up to which the lift goes, over that of the face."""
FACE_BEND = 8.0
"""How sharply the lift ends there: p of its curve."""
DARK_SHARE = 0.001
"""Share of the photo, but for the rims of dark places, that must be darker than a well lit face
for one to be looked for: no less is as large as a face that is found."""
