"""Natural Python values: one type for each code that Python has no type for.

A type of Python's own stands for one code (``int`` for Integer, ``str`` for Text, …); the types
here are small subclasses of int, str and bytes, or named tuples, which remember their code. They
hold what is stored, unscaled; ``str`` prints what it means, and properties give it as a number,
an address or a time. None of them checks: what a file may hold, they may hold.
"""

import datetime as dt
import ipaddress
import json
from decimal import Decimal
from typing import NamedTuple

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_DAY_ZERO = EPOCH.toordinal()


class _Int(int):
    """An integer that remembers what it counts."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({int(self)})"

    def __str__(self) -> str:
        return int.__repr__(self)


class _Str(str):
    """A text that remembers what it names."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str.__repr__(self)})"

    def __str__(self) -> str:
        return str.__str__(self)


class _Bytes(bytes):
    """Raw bytes that remember what they are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({bytes.__repr__(self)})"

    def __str__(self) -> str:
        return self.hex(":")


# -- integers -----------------------------------------------------------------------------------


class UInt(_Int):
    """An integer of 64 bits without sign."""

    __slots__ = ()


class BigInt(_Int):
    """An integer that was declared big; the same range as ``int`` has here."""

    __slots__ = ()


class Port(_Int):
    """A port number."""

    __slots__ = ()


class EnumValue(_Int):
    """An index in the variants that a column declares."""

    __slots__ = ()


class PageRef(_Int):
    """The number of a page."""

    __slots__ = ()


class Phone(_Int):
    """The digits of a telephone number, printed with ``+``."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"+{int(self)}"


class Semver(_Int):
    """A version, major × 1 000 000 + minor × 1 000 + patch.

    Examples
    --------
    >>> str(Semver(1002003)), Semver(1002003).parts
    ('1.2.3', (1, 2, 3))
    """

    __slots__ = ()

    @property
    def parts(self) -> tuple[int, int, int]:
        """Major, minor and patch."""
        return int(self) // 1_000_000, int(self) // 1_000 % 1_000, int(self) % 1_000

    def __str__(self) -> str:
        return ".".join(map(str, self.parts))


class Ipv4(_Int):
    """An IPv4 address as a number."""

    __slots__ = ()

    def to_address(self) -> ipaddress.IPv4Address:
        """Return the address."""
        return ipaddress.IPv4Address(int(self))

    def __str__(self) -> str:
        return str(self.to_address())


class _Micro(_Int):
    __slots__ = ()

    @property
    def degrees(self) -> float:
        """The angle, correctly rounded."""
        return int(self) / 1_000_000

    def __str__(self) -> str:
        return _micro(int(self))


class Latitude(_Micro):
    """Micro-degrees north.

    Examples
    --------
    >>> Latitude(59913900).degrees, str(Latitude(-500000))
    (59.9139, '-0.500000')
    """

    __slots__ = ()


class Longitude(_Micro):
    """Micro-degrees east."""

    __slots__ = ()


def _micro(value: int) -> str:
    units, rest = divmod(abs(value), 1_000_000)
    return f"{'-' if value < 0 else ''}{units}.{rest:06}"


# -- times --------------------------------------------------------------------------------------


def datetime_of(milliseconds: int) -> dt.datetime | None:
    """Return the UTC time so long after 1970, None outside the years 1 to 9999."""
    try:
        return EPOCH + dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return None


class Timestamp(_Int):
    """Seconds since 1970, UTC.

    Examples
    --------
    >>> str(Timestamp(0))
    '1970-01-01T00:00:00+00:00'
    """

    __slots__ = ()

    def to_datetime(self) -> dt.datetime:
        """Return the time; OverflowError outside the years 1 to 9999."""
        return EPOCH + dt.timedelta(seconds=int(self))

    def __str__(self) -> str:
        found = datetime_of(1000 * int(self))
        return f"{int(self)} s" if found is None else found.isoformat()


class RawTimestampMs(_Int):
    """Milliseconds since 1970 outside the years 1 to 9999."""

    __slots__ = ()

    def __str__(self) -> str:
        found = datetime_of(int(self))
        return f"{int(self)} ms" if found is None else found.isoformat(timespec="milliseconds")


class RawDuration(_Int):
    """Milliseconds that ``timedelta`` has no room for."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{int(self)} ms"


class RawDate(_Int):
    """Days since 1970-01-01 outside the years 1 to 9999."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"{int(self)} days"


class RawTime(_Int):
    """Milliseconds since midnight, of a day or more."""

    __slots__ = ()

    def __str__(self) -> str:
        seconds, rest = divmod(int(self), 1000)
        return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"


def date_of(days: int) -> dt.date | RawDate:
    """Return the date so many days after 1970-01-01."""
    ordinal = days + _DAY_ZERO
    inside = 1 <= ordinal <= dt.date.max.toordinal()
    return dt.date.fromordinal(ordinal) if inside else RawDate(days)


def days_of(date: dt.date) -> int:
    """Return the days since 1970-01-01."""
    return date.toordinal() - _DAY_ZERO


def time_of(milliseconds: int) -> dt.time | RawTime:
    """Return the time of day."""
    seconds, rest = divmod(milliseconds, 1000)
    if seconds >= 86_400:
        return RawTime(milliseconds)
    return dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60, 1000 * rest)


def duration_of(milliseconds: int) -> dt.timedelta | RawDuration:
    """Return the span of time."""
    try:
        return dt.timedelta(milliseconds=milliseconds)
    except OverflowError:
        return RawDuration(milliseconds)


def timestamp_of(milliseconds: int) -> dt.datetime | RawTimestampMs:
    """Return the UTC time so long after 1970."""
    found = datetime_of(milliseconds)
    return RawTimestampMs(milliseconds) if found is None else found


def microseconds(span: dt.timedelta) -> int:
    """Return all of a span, exactly."""
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def decimal_of(units: int, places: int = 4) -> Decimal:
    """Return ``units`` × 10^-``places``, exactly, whatever the context's precision."""
    return Decimal((int(units < 0), tuple(map(int, str(abs(units)))), -places))


# -- texts --------------------------------------------------------------------------------------


class NodeRef(_Str):
    """The id of a node, as text."""

    __slots__ = ()


class EdgeRef(_Str):
    """The id of an edge, as text."""

    __slots__ = ()


class TableRef(_Str):
    """The name of a table."""

    __slots__ = ()


class Email(_Str):
    """A mail address."""

    __slots__ = ()


class Url(_Str):
    """An address of the web."""

    __slots__ = ()


class AssetCode(_Str):
    """The code of a currency or another asset."""

    __slots__ = ()


class Password(_Str):
    """A hashed password; ``repr`` does not show it.

    Examples
    --------
    >>> Password("$argon2id$v=19$…")
    Password('***')
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return "Password('***')"


# -- bytes --------------------------------------------------------------------------------------


class MacAddr(_Bytes):
    """Six bytes, printed ``aa:bb:cc:dd:ee:ff``."""

    __slots__ = ()


class Color(_Bytes):
    """Red, green and blue, printed ``#RRGGBB``."""

    __slots__ = ()

    def __str__(self) -> str:
        return f"#{self.hex().upper()}"


class ColorAlpha(Color):
    """Red, green, blue and alpha, printed ``#RRGGBBAA``."""

    __slots__ = ()


class Ipv6(_Bytes):
    """An IPv6 address in network order."""

    __slots__ = ()

    def to_address(self) -> ipaddress.IPv6Address:
        """Return the address."""
        return ipaddress.IPv6Address(bytes(self))

    def __str__(self) -> str:
        return str(self.to_address())


class _Code(_Bytes):
    """Letters of a standard; what is not ASCII is printed escaped."""

    __slots__ = ()

    def __str__(self) -> str:
        return self.decode("ascii", "backslashreplace")


class Country2(_Code):
    """A country in two letters."""

    __slots__ = ()


class Country3(_Code):
    """A country in three letters."""

    __slots__ = ()


class Lang2(_Code):
    """A language in two letters."""

    __slots__ = ()


class Lang5(_Code):
    """A language and region, like ``pt-BR``."""

    __slots__ = ()


class Currency(_Code):
    """A currency in three letters."""

    __slots__ = ()


class Json(_Bytes):
    """JSON as it is stored: usually text in UTF-8, but any bytes are legal.

    Examples
    --------
    >>> Json(b'{"a": 1}').parse()
    {'a': 1}
    """

    __slots__ = ()

    def parse(self) -> object:
        """Return what it says; ValueError if it is not JSON."""
        found: object = json.loads(bytes(self))
        return found

    def __str__(self) -> str:
        return self.decode("utf-8", "backslashreplace")


class Secret(_Bytes):
    """Encrypted bytes; neither ``repr`` nor ``str`` shows them."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"Secret(<{len(self)} bytes>)"

    def __str__(self) -> str:
        return "***"


# -- several fields -----------------------------------------------------------------------------


class VectorRef(NamedTuple):
    """A vector of a collection."""

    collection: str
    id: int

    def __str__(self) -> str:
        return f"{self.collection}#{self.id}"


class RowRef(NamedTuple):
    """A row of a table."""

    collection: str
    id: int

    def __str__(self) -> str:
        return f"{self.collection}#{self.id}"


class DocRef(NamedTuple):
    """A document of a collection."""

    collection: str
    id: int

    def __str__(self) -> str:
        return f"{self.collection}#{self.id}"


class KeyRef(NamedTuple):
    """A key of a collection."""

    collection: str
    key: str

    def __str__(self) -> str:
        return f"{self.collection}:{self.key}"


class Cidr(NamedTuple):
    """An IPv4 address and the length of its prefix, which nothing checks.

    Examples
    --------
    >>> str(Cidr(0x0A000001, 8)), Cidr(0x0A000001, 8).to_interface().network
    ('10.0.0.1/8', IPv4Network('10.0.0.0/8'))
    """

    ip: int
    prefix: int

    def to_interface(self) -> ipaddress.IPv4Interface:
        """Return it as address and network; ValueError if the prefix is above 32."""
        return ipaddress.IPv4Interface((self.ip, self.prefix))

    def __str__(self) -> str:
        return f"{ipaddress.IPv4Address(self.ip)}/{self.prefix}"


class Subnet(NamedTuple):
    """An IPv4 address and a mask, whose bits need not be contiguous.

    Examples
    --------
    >>> str(Subnet(0x0A000000, 0xFF000000))
    '10.0.0.0/255.0.0.0'
    """

    ip: int
    mask: int

    def to_interface(self) -> ipaddress.IPv4Interface:
        """Return it as address and network; ValueError if the mask has gaps."""
        hosts = self.mask ^ 0xFFFFFFFF
        if hosts & (hosts + 1):  # ``ipaddress`` would take 0.0.0.255 for its opposite
            raise ValueError(f"{self}: the ones of the mask are not all in front")
        return ipaddress.IPv4Interface((self.ip, 32 - hosts.bit_length()))

    def __str__(self) -> str:
        return f"{ipaddress.IPv4Address(self.ip)}/{ipaddress.IPv4Address(self.mask)}"


class GeoPoint(NamedTuple):
    """Micro-degrees north and east."""

    lat: int
    lon: int

    @property
    def degrees(self) -> tuple[float, float]:
        """Latitude and longitude."""
        return self.lat / 1_000_000, self.lon / 1_000_000

    def __str__(self) -> str:
        return f"{_micro(self.lat)},{_micro(self.lon)}"


class Money(NamedTuple):
    """An amount of an asset, minor units × 10^-scale.

    Examples
    --------
    >>> Money("EUR", 2, 1234).amount, str(Money("EUR", 2, 1234))
    (Decimal('12.34'), '12.34 EUR')
    """

    asset_code: str
    scale: int
    minor_units: int

    @property
    def amount(self) -> Decimal:
        """The amount, exactly."""
        return decimal_of(self.minor_units, self.scale)

    def __str__(self) -> str:
        return f"{self.amount:f} {self.asset_code}"
