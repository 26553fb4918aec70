"""How much light every place of a photo gets: a value, planned once and applied anywhere.

:func:`~relume.exposure.plan.plan` makes a :class:`~relume.exposure.plan.Plan` of a photo and an
:class:`~relume.exposure.aim.Aim`; :func:`~relume.exposure.plan.apply` exposes the photo by it, with
any network that is handed to it. No network is in this room.
"""
