"""The alert pages: the list, one alert, and what people do there."""
