"""Content negotiation by the headers ``Accept`` and ``Accept-Encoding`` (RFC 9110, section 12). Pure."""

from exporter.metrics import Format


def choose_format(accept: str) -> Format:
    """Choose OpenMetrics for a scraper that lists it with at least the weight of plain text."""
    openmetrics = _weight(accept, "application/openmetrics-text")
    text = max(_weight(accept, "text/plain"), _weight(accept, "text/*"))
    return "openmetrics" if openmetrics > 0 and openmetrics >= text else "text"


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a gzip response is accepted."""
    return _weight(accept_encoding, "gzip") > 0


def _weight(header: str, name: str) -> float:
    """Return the highest ``q`` that the header gives the name; 0 when it does not list it."""
    weights = [0.0]
    for item in header.split(","):
        value, *parameters = (part.strip().lower() for part in item.split(";"))
        if value == name:
            weights.append(next((_number(text[2:]) for text in parameters if text.startswith("q=")), 1.0))
    return max(weights)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0
