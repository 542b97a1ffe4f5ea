"""Sky, air and wetness: what the weather and the hour do to light and to laser pulses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

WeatherName = Literal["any", "clear", "overcast", "rain", "fog"]
LightName = Literal["any", "day", "dusk", "night"]


@dataclass(frozen=True)
class Weather:
    """``visibility_m`` is the meteorological one: there contrast has sunk to 5 % (Koschmieder), so light is attenuated
    by exp(-3 / visibility_m) per metre. ``sun`` is a unit vector towards it, below the horizon at night."""

    sun: tuple[float, float, float]
    overcast: float  # 0 clear sky .. 1 grey
    daylight: float  # 1 by day, 0 at night
    visibility_m: float
    rain_mmph: float
    wetness: float  # of the ground: 0 dry .. 1 covered with a film of water

    @property
    def extinction_per_m(self) -> float:
        """How fast light fades in this air, one way."""
        return 3.0 / self.visibility_m


def draw_weather(seed: int, weather: WeatherName, light: LightName) -> Weather:
    """The weather of one drive. ``any`` is a dry day, clear to grey as the seed will have it."""
    rng = np.random.default_rng([seed, 0x5EA])
    azimuth = rng.uniform(0, 2 * math.pi)
    low, high = {"any": (22, 60), "day": (22, 60), "dusk": (2, 8), "night": (-30, -15)}[light]
    elevation = math.radians(rng.uniform(low, high))
    overcast = {"any": rng.random(), "clear": 0.25 * rng.random()}.get(weather, rng.uniform(0.85, 1.0))
    rain = rng.uniform(3.0, 15.0) if weather == "rain" else 0.0
    visibility = {"rain": rng.uniform(2000, 5000), "fog": rng.uniform(60, 200)}.get(weather, rng.uniform(8e3, 3e4))
    return Weather(
        sun=(
            math.cos(elevation) * math.cos(azimuth),
            math.cos(elevation) * math.sin(azimuth),
            math.sin(elevation),
        ),
        overcast=float(overcast),
        daylight={"any": 1.0, "day": 1.0, "dusk": 0.45, "night": 0.0}[light],
        visibility_m=float(visibility),
        rain_mmph=float(rain),
        wetness=float({"rain": 1.0, "fog": 0.3}.get(weather, 0.0)),
    )
