"""A series of one's own as people keep it: dates in every way they write them, files of other programs."""

import datetime
import re
import zoneinfo

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn.commands import cli
from tinygrad_rnn.commands import command as shared
from tinygrad_rnn.data import Frequency, Scaler, calendar, read_csv, seasonal_naive, table
from tinygrad_rnn.forecasting import Backtest

NAN = float("nan")
DAYS = [datetime.date(2024, 1, 25) + datetime.timedelta(k) for k in range(40)]
MOMENTS = [datetime.datetime(2024, 1, 30, 22) + datetime.timedelta(hours=k) for k in range(40)]
BERLIN = zoneinfo.ZoneInfo("Europe/Berlin")
VALUES = [float(k % 7) + 0.25 for k in range(40)]


def written(path, head, rows, part=",", encoding="utf-8"):
    lines = [part.join(head), *(part.join(map(str, row)) for row in rows)]
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


# ---- dates ----------------------------------------------------------------------------------------------

WAYS = {  # of a day
    "ISO": "{0:%Y-%m-%d}",
    "ISO with slashes": "{0:%Y/%m/%d}",
    "year first with points": "{0:%Y.%m.%d}",
    "German": "{0:%d.%m.%Y}",
    "German without zeros": "{0.day}.{0.month}.{0.year}",
    "British": "{0:%d/%m/%Y}",
    "American": "{0:%m/%d/%Y}",
    "American without zeros": "{0.month}/{0.day}/{0.year}",
    "with dashes, day first": "{0:%d-%m-%Y}",
    "as one number": "{0:%Y%m%d}",
}
HOURS = {
    "T": "{0:%Y-%m-%dT%H:%M}",
    "a blank": "{0:%Y-%m-%d %H:%M:%S}",
    "parts of a second": "{0:%Y-%m-%d %H:%M:%S}.000",
    "Z": "{0:%Y-%m-%dT%H:%M:%S}Z",
    "UTC": "{0:%Y-%m-%d %H:%M:%S} UTC",
    "American with AM and PM": "{0:%m/%d/%Y %I:%M %p}",
    "German": "{0:%d.%m.%Y %H:%M}",
}


@pytest.mark.parametrize("way", WAYS)
def test_days_as_people_write_them(tmp_path, way):
    """By Python's own words for a date."""
    path = written(
        tmp_path / "a.csv", ["day", "load"], zip(map(WAYS[way].format, DAYS), VALUES, strict=True)
    )
    found = read_csv(path)
    assert found.names == ("load",)
    np.testing.assert_array_equal(found.dates, np.array(DAYS, "M8[s]"))
    np.testing.assert_array_equal(read_csv(path, dates="day").dates, found.dates)
    np.testing.assert_array_equal(found.values.ravel(), VALUES)
    by_text = table(VALUES, dates=list(map(WAYS[way].format, DAYS)))
    np.testing.assert_array_equal(by_text.dates, found.dates)


@pytest.mark.parametrize("way", HOURS)
def test_hours_as_people_write_them(tmp_path, way):
    path = written(
        tmp_path / "a.csv", ["t", "load"], zip(map(HOURS[way].format, MOMENTS), VALUES, strict=True)
    )
    found = read_csv(path)
    np.testing.assert_array_equal(found.dates, np.array(MOMENTS, "M8[s]"))
    assert found.frequency == Frequency(3600, "s")


def test_hours_with_an_offset_are_taken_in_utc(tmp_path):
    first = datetime.datetime(2024, 3, 30, 20, tzinfo=BERLIN)
    utc = [first.astimezone(datetime.UTC) + datetime.timedelta(hours=k) for k in range(12)]
    local = [moment.astimezone(BERLIN) for moment in utc]  # +01:00, then +02:00
    naive = np.array([moment.replace(tzinfo=None) for moment in utc], "M8[s]")
    path = written(tmp_path / "a.csv", ["t", "x"], zip(map(str, local), VALUES[:12], strict=True))
    for found in (
        read_csv(path),
        table(VALUES[:12], dates=local),
        table(VALUES[:12], dates=[m.isoformat() for m in local]),
    ):
        np.testing.assert_array_equal(found.dates, naive)


def test_days_with_an_offset_are_taken_as_they_are(tmp_path):
    days = [datetime.datetime(2024, 3, 28, tzinfo=BERLIN) + datetime.timedelta(k) for k in range(6)]
    plain = np.array([day.date() for day in days], "M8[s]")
    path = written(tmp_path / "a.csv", ["t", "x"], zip(map(str, days), VALUES[:6], strict=True))
    for found in (read_csv(path), table(VALUES[:6], dates=days)):
        np.testing.assert_array_equal(found.dates, plain)
        assert found.frequency.season == 7


def test_years_are_dates_in_a_column_that_is_called_so(tmp_path):
    rows = [(1990 + k, 5 + k) for k in range(6) if k != 3]
    found = read_csv(written(tmp_path / "a.csv", ["Year", "load"], rows))
    assert found.names == ("load",)
    np.testing.assert_array_equal(found.values.ravel(), [5, 6, 7, NAN, 9, 10])
    assert str(found.dates[3]) == "1993-01-01T00:00:00"
    other = written(tmp_path / "b.csv", ["crowd", "load"], rows)
    assert read_csv(other).names == ("crowd", "load")
    np.testing.assert_array_equal(read_csv(other, dates="crowd").dates, found.dates)


@pytest.mark.parametrize("scale", [1, 1000])
def test_seconds_since_1970_where_they_are_asked_for(tmp_path, scale):
    rows = [(scale * (1_700_000_000 + 3600 * k), k) for k in range(5)]
    found = read_csv(written(tmp_path / "a.csv", ["time", "load"], rows), dates="time")
    expected = [datetime.datetime.fromtimestamp(r[0] // scale, datetime.UTC) for r in rows]
    plain = np.array([moment.replace(tzinfo=None) for moment in expected], "M8[s]")
    np.testing.assert_array_equal(found.dates, plain)


@pytest.mark.parametrize(
    ("dates", "kind", "words"),
    [
        (["01/02/2024", "02/03/2024", "03/04/2024"], ValueError, "day or with the month"),
        (["13/02/2024", "02/13/2024", "03/04/2024"], TypeError, "row 1: '02/13/2024' is no date"),
        (["2024-01-01", "2024-02-30", "2024-03-01"], TypeError, "row 1: '2024-02-30' is no ISO"),
        (["2024-01-01T24:00", "2024-01-02", "2024-01-03"], TypeError, "row 0: '2024-01-01T24:00'"),
        (["2024-01-01", "2.1.2024", "2024-01-03"], TypeError, "row 1: '2.1.2024' is no ISO date"),
        (["1.1.2024", "2024-01-02", "3.1.2024"], TypeError, "no date written like '1.1.2024'"),
        (["Jan 2024", "Feb 2024", "Mar 2024"], TypeError, "row 0: 'Jan 2024' is no ISO date"),
        ([1, 2, 3], TypeError, "row 0: 1 is no ISO date"),
        ([True, False, True], TypeError, "row 0: True is no ISO date"),
        ([20240101, 20240199, 20240201], TypeError, "row 0: 20240101 is no ISO date"),
        (["2024-01-01", None, "2024-01-03"], TypeError, "row 0: '2024-01-01'"),
        ([DAYS[0], None, DAYS[2]], ValueError, "dates: row 1 has no date"),
        (DAYS[:2], ValueError, "2 dates for 3 rows"),
    ],
)
def test_what_says_no_dates(dates, kind, words):
    with pytest.raises(kind, match=words):
        table([1.0, 2.0, 3.0], dates=dates)


def test_irregular_dates_say_what_is_usual():
    days = [*DAYS[:5], datetime.datetime(2024, 1, 29, 13)]
    moments = np.array(days, "M8[s]")
    with pytest.raises(
        ValueError, match=r"most steps are 1 day, and .*13:00:00 \(row 5\) comes 13"
    ):
        table(np.zeros(6), dates=moments)


# ---- frames -----------------------------------------------------------------------------------------------


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


def test_an_index_of_dates_in_any_kind(pandas):
    """An index that was read as text lost its gaps, and its order, without a word."""
    days = pandas.DatetimeIndex(DAYS).delete(7)
    values = np.arange(float(len(days)))
    right = table(pandas.DataFrame({"x": values}, index=days))
    assert len(right) == 40
    assert int(np.isnan(right.values).sum()) == 1
    kinds = [
        days.strftime("%Y-%m-%d"),
        pandas.Index([day.date() for day in days], dtype=object),
        pandas.Index(days.strftime("%d.%m.%Y"), dtype=object),
        days.tz_localize("Europe/Berlin"),
        days.to_period("D"),
        days.astype("datetime64[s]"),
    ]
    for index in kinds:
        found = table(pandas.DataFrame({"x": values}, index=index))
        np.testing.assert_array_equal(found.dates, right.dates)
        np.testing.assert_array_equal(found.values, right.values)
        with pytest.raises(ValueError, match="must rise"):
            table(pandas.DataFrame({"x": values}, index=index[::-1]))
    years = pandas.DataFrame({"x": [1.0, 2.0]}, index=pandas.Index([1990, 1991], name="year"))
    assert table(years).frequency == Frequency(12, "M")
    assert table(pandas.DataFrame({"x": [1.0, 2.0]}, index=[1990, 1991])).dates is None
    assert table(pandas.DataFrame({"year": [1990, 1991], "x": [1.0, 2.0]})).names == ("x",)
    number = pandas.DataFrame({"day": [20240131, 20240201], "x": [1.0, 2.0]})
    assert table(number).frequency == Frequency(86400, "s")


def test_an_index_that_cannot_be_one_series(pandas):
    several = pandas.MultiIndex.from_product([["a", "b"], DAYS[:3]])
    with pytest.raises(TypeError, match="the index has 2 levels, as of several series"):
        table(pandas.DataFrame({"x": np.zeros(6)}, index=several))
    text = pandas.DataFrame({"x": np.zeros(2)}, index=["Jan 2024", "Feb 2024"])
    with pytest.raises(TypeError, match=r"'Jan 2024' is no date; frame.index = pd.to_datetime"):
        table(text)
    hours = pandas.DataFrame({"x": np.zeros(2)}, index=pandas.to_timedelta([0, 1], unit="h"))
    with pytest.raises(TypeError, match=r"timedelta64.*date of the first row"):
        table(hours)


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["1.5", "2"], r"its cells are: frame\['b'\] = pd.to_numeric"),
        (["2024-01-01", "2024-01-02"], "it looks like dates"),
        (["x", "y"], "drop it"),
    ],
)
def test_a_column_of_text_has_a_cure(pandas, cells, words):
    for kind in ("object", "string", "category"):
        frame = pandas.DataFrame({"x": [1.0, 2.0], "b": pandas.Series(cells, dtype=kind)})
        with pytest.raises(TypeError, match=rf"column 'b' has dtype {frame['b'].dtype}.*{words}"):
            table(frame)


@pytest.mark.parametrize("alone", [True, False])
def test_no_tensor_is_made_of_a_column_of_dates(pandas, alone):
    """A frame of dates alone is an array of dates; with numbers beside, one of objects."""
    frame = pandas.DataFrame({"d": pandas.DatetimeIndex(DAYS[:2]), "x": [1.0, 2.0]})
    given = frame[["d"]] if alone else frame
    with pytest.raises(TypeError, match=rf"column 'd' is {re.escape(str(frame['d'].dtype))}$"):
        tg.tensor(given)
    with pytest.raises(TypeError, match=rf"of Series: {re.escape(str(frame['d'].dtype))}$"):
        tg.tensor(frame["d"])


def test_columns_that_are_no_numbers(pandas):
    frame = pandas.DataFrame({"x": [1.0, 2.0], "d": pandas.DatetimeIndex(DAYS[:2])})
    twice = frame.assign(e=frame["d"])
    with pytest.raises(TypeError, match=r"column 'e'.*the dates are column 'd' already"):
        table(twice)
    with pytest.raises(TypeError, match=r"column 'e'.*the dates are the index already"):
        table(twice.set_index("d"))
    with pytest.raises(TypeError, match=r"column 'e'.*total_seconds"):
        table(frame.assign(e=frame["d"] - frame["d"][0]))
    with pytest.raises(TypeError, match=r"column 'e' has dtype complex128"):
        table(frame.assign(e=1j))
    saved = pandas.DataFrame({"Unnamed: 0": [0, 1], "x": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"column 'Unnamed: 0' counts the rows"):
        table(saved)


def test_truths_are_numbers(pandas, tmp_path):
    frame = pandas.DataFrame({"a": [True, False], "b": pandas.array([True, None], dtype="boolean")})
    np.testing.assert_array_equal(table(frame).values, [[1, 1], [0, NAN]])
    path = written(tmp_path / "a.csv", ["a", "b"], [("True", "false"), ("FALSE", "")])
    np.testing.assert_array_equal(read_csv(path).values, [[1, 0], [0, NAN]])


def test_labels_of_a_frame_go_before_places(pandas):
    frame = pandas.DataFrame([[1.0, 2.0], [3.0, 4.0]], columns=[1, 0])
    assert table(frame).columns(0).values.ravel().tolist() == [2.0, 4.0]
    assert table(frame).columns(-1).values.ravel().tolist() == [2.0, 4.0]
    for name in (True, 1.5, 2, object()):
        with pytest.raises(ValueError, match="there is no column"):
            table(frame).columns(name)


class Other:
    """A frame of another library: columns by name, each with ``to_numpy``, and no index."""

    def __init__(self, **columns):
        self.held = {name: np.array(column) for name, column in columns.items()}
        self.columns, self.shape = list(columns), (2, len(columns))

    def __getitem__(self, name):
        class Column:
            to_numpy = staticmethod(lambda: self.held[name])
            dtype = "its own"

        return Column()


def test_a_frame_of_another_library():
    found = table(Other(day=np.array(DAYS[:2], "M8[D]"), x=[1, 2]))
    assert found.names == ("x",)
    np.testing.assert_array_equal(found.dates, np.array(DAYS[:2], "M8[s]"))
    with pytest.raises(TypeError, match="column 'x' has dtype <U1"):
        table(Other(x=["a", "b"]))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"x": [1.0]}, "this is a dict; tg.data.table"),
        (None, "this is a NoneType"),
        ((v for v in VALUES), "this is a generator"),
        (["a", "b"], "this one has dtype <U1"),
        (np.array(DAYS, "M8[D]"), "this one has dtype datetime64"),
        (np.array([(1, 2)], dtype=[("a", "f8"), ("b", "f8")]), "this one has dtype"),
    ],
)
def test_what_is_no_series_is_told(given, words):
    with pytest.raises(TypeError, match=words):
        table(given)


# ---- files ------------------------------------------------------------------------------------------------


def test_files_of_other_programs(tmp_path):
    rows = list(zip(DAYS, VALUES, strict=True))
    right = read_csv(written(tmp_path / "right.csv", ["date", "load"], rows))
    path = tmp_path / "a.csv"
    for part in ",;\t|":
        found = read_csv(written(path, ["date", "load"], rows, part))
        np.testing.assert_array_equal(found.values, right.values)
    commas = [(day, str(value).replace(".", ",")) for day, value in rows]
    found = read_csv(written(path, ["date", "load"], commas, ";"), decimal=",")
    np.testing.assert_array_equal(found.values, right.values)
    for encoding in ("utf-8-sig", "utf-16"):
        found = read_csv(written(path, ["date", "load"], rows, encoding=encoding))
        np.testing.assert_array_equal(found.values, right.values)
    found = read_csv(written(path, ["date", "Länge"], rows, encoding="latin-1"), encoding="latin-1")
    assert found.names == ("Länge",)
    indexed = [(k, *row) for k, row in enumerate(rows)]
    found = read_csv(written(path, ["", "date", "load"], indexed))
    assert found.names == ("load",)  # the row numbers of a frame that was saved are no column
    np.testing.assert_array_equal(found.dates, right.dates)
    ended = [(*row, "") for row in rows]
    assert read_csv(written(path, ["date", "load", ""], ended)).names == ("load",)
    for absent in ("#N/A", "N/A", "<NA>", "NaT", "null", "?"):
        found = read_csv(written(path, ["date", "load"], [(DAYS[0], absent), *rows[1:]]))
        assert np.isnan(found.values).ravel().tolist() == [True] + [False] * 39


LINES = "2024-01-01,5\n2024-01-02,6\n"
PANEL = "".join(f"2024-01-0{day},{day},{name}\n" for name in "ab" for day in (1, 2))


def test_whole_numbers_that_are_dates_by_their_column(tmp_path):
    """Months, seconds since 1970; what is called date and counts from 1 is a count, a month a feature."""
    path = tmp_path / "load.csv"
    for first, unit in (("202312,5\n202401,6\n", "M"), ("1704067200,5\n1704153600,6\n", "D")):
        path.write_text("date,load\n" + first)
        found = read_csv(path)
        assert found.names == ("load",)
        start = np.datetime64("2023-12" if unit == "M" else "2024-01-01", unit)
        np.testing.assert_array_equal(found.dates, start + np.arange(2))
    path.write_text("date,load\n1,5\n2,6\n")
    assert read_csv(path).names == ("date", "load")
    path.write_text("day,month,load\n2023-12-31,12,5\n2024-01-01,1,6\n")
    assert read_csv(path).names == ("month", "load")
    path.write_text("date,load\n45292,5\n45293,6\n")
    assert read_csv(path, columns=["load"]).names == ("load",)


def test_frames_that_hold_several_series_or_dates_in_parts():
    pd = pytest.importorskip("pandas", reason="pandas is not installed")
    days = list(pd.to_datetime(DAYS[:4]))
    for names in (list("aaaabbbb"), pd.Categorical(list("aaaabbbb"))):
        frame = pd.DataFrame({"id": names, "day": days * 2, "x": range(8)})
        with pytest.raises(
            ValueError, match="column 'id' identifies 2 series: give a list of them"
        ):
            table(frame)
        parts = [part.drop(columns="id") for _, part in frame.groupby("id", observed=True)]
        assert [len(table(part)) for part in parts] == [4, 4]
    with pytest.raises(ValueError, match="'id' identifies 2 series: give them as a list of 2"):
        table(pd.DataFrame({"id": [1] * 4 + [2] * 4, "day": days * 2, "x": range(8)}))
    twice = pd.date_range("2024-10-26", periods=40, freq="h", tz="Europe/Berlin").tz_localize(None)
    with pytest.raises(ValueError, match="Where clocks went back an hour"):
        table(pd.DataFrame({"x": range(40)}, index=twice))
    parts = {"year": [2023, 2024, 2024], "month": [12, 1, 2], "day": [1, 1, 1], "x": [1, 2, 3]}
    with pytest.raises(ValueError, match="in several columns, 'year', 'month', 'day'"):
        table(pd.DataFrame(parts))
    with pytest.raises(ValueError, match="column 'date': 45292 is no date"):
        table(pd.DataFrame({"date": [45292, 45293], "x": [1, 2]}))
    texts = ["2024-10-27T02:00:00+02:00", "2024-10-27T02:00:00+01:00"]
    with pytest.raises(TypeError, match="utc=True"):
        table(pd.DataFrame({"t": texts, "x": [1, 2]}))
    with pytest.raises(TypeError, match="its decimal mark is a comma"):
        table(pd.DataFrame({"x": ["1,5", "2,5"]}))


def test_none_is_a_missing_value():
    assert np.isnan(table([1.0, None, 2.0]).values).ravel().tolist() == [False, True, False]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a title\n\ndate,load\n" + LINES, "line 3: 2 cells, and the heading has 1; is 'a title'"),
        ("date,load\n\n" + LINES + "x,7\n", "line 5: 'x' in column 'date' is no ISO date"),
        ("date,load\n" + LINES + "2024-02-30,7\n", "line 4: '2024-02-30' in column 'date'"),
        ("date,load\n" + LINES + "Total,11\n", "line 4: 'Total' in column 'date' is no ISO date"),
        ('date,"lo\nad"\n' + LINES + "2024-01-03,x\n", r"line 5: 'x' in column 'lo\\nad'"),
        ("2023-12-31,4\n" + LINES, "must be a heading"),
        ("date load\n" + LINES.replace(",", " "), "not by spaces"),
        ("date;load\n2024-01-01;1,5\n", "'1,5' in column 'load' is no number; decimal=','"),
        ("date;load\n2024-01-01;1,500\n", "without marks between thousands; decimal=','"),
        ('date,load\n2024-01-01,"1,500.5"\n', "without marks between thousands$"),
        (
            "date,load\n2024-01-01,5 MW\n",
            "'5 MW' in column 'load' is no number; write .* without 'MW'; columns=",
        ),
        ("date,load\n2024-01-01,1_000\n", "'1_000' in column 'load' is no number"),
        ("date,load\nJan 2024,5\n", "'Jan 2024' in column 'date' is no number; dates are written"),
        ("date,load\n1/2/24,5\n", "'1/2/24' in column 'date' is no number; dates are written"),
        ("a,b,load\n" + LINES.replace(",", ",2024-01-05,"), "'a' has the dates already"),
        ("date,\n" + LINES, "column 2 has no name"),
        ("date,load\n01/02/2024,5\n02/03/2024,5\n", "day or with the month"),
        (
            "date,load\n" + LINES + "2024-01-02,7\n",
            r"load.csv: .* 2024-01-02 \(line 4\) comes twice",
        ),
        ("date,load\n2024-01-01,5\n2024-01-02,inf\n", "load.csv: column 'load' is infinite at"),
        ("date,load,id\n" + PANEL, "column 'id' identifies 2 series: write a file for each"),
        ("date,load,id\n" + PANEL.replace("a", "1").replace("b", "2"), "'id' identifies 2 series"),
        (
            "date,time,load\n2024-01-01,00:30,5\n2024-01-01,01:30,5\n",
            "it is a time of day: join it",
        ),
        ("date,load\n-,kWh\n" + LINES, "line 2: '-' in column 'date' .* are these the units"),
        ("date,load\n2024-01-01,$5\n", r"write the number alone, without '\$'"),
        ("date,load\n2024-01-01,5%\n", "write the number alone, without '%'"),
        (
            "year,month,load\n2024,1,5\n2024,2,6\n",
            "in several columns, 'year', 'month': write it in",
        ),
        ("date,load\n45292,5\n45293,6\n", "line 2: '45292' in column 'date' is no date"),
        ("date,load\n", "found only a heading"),
        ("", "found nothing"),
    ],
)
def test_the_place_and_the_cure_are_named(tmp_path, text, words):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_csv(path)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"date,L\xe4nge\n", r"not in UTF-8, byte 0xe4 at 6: save it in UTF-8, or .*latin-1"),
        (b"PK\x03\x04\xff\xfe", "a spreadsheet or zip file"),
        (b"\x1f\x8b\x08\x00\xff", "a gzip file"),
    ],
)
def test_a_file_that_is_no_text(tmp_path, data, words):
    path = tmp_path / "load.csv"
    path.write_bytes(data)
    with pytest.raises(ValueError, match=words):
        read_csv(path)


def test_options_of_a_file(tmp_path):
    path = written(tmp_path / "a.csv", ["date", "load"], [(DAYS[0], "1.5"), (DAYS[1], "2")])
    with pytest.raises(ValueError, match="decimal is the mark"):
        read_csv(path, decimal=";")
    with pytest.raises(ValueError, match=r"'1.5' in column 'load' is no number"):
        read_csv(path, decimal=",")
    with pytest.raises(ValueError, match="none that is called 'klingon'"):
        read_csv(path, encoding="klingon")


# ---- the command ------------------------------------------------------------------------------------------


@pytest.fixture
def _here(monkeypatch, tmp_path):
    for name in shared.THREADS:
        monkeypatch.setenv(name, "1")
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("_here")
def test_the_command_says_it_in_its_own_words(tmp_path, capsys):
    written(tmp_path / "a.csv", ["date", "load"], [(d, f"{k},5") for k, d in enumerate(DAYS)], ";")
    assert cli.main(["fit", "a.csv"]) == 1
    assert "--decimal ',' reads a decimal comma" in capsys.readouterr().err
    (tmp_path / "b.csv").write_bytes("date,Länge\n2024-01-01,5\n".encode("latin-1"))
    assert cli.main(["fit", "b.csv"]) == 1
    assert "such as --encoding latin-1" in capsys.readouterr().err
    assert cli.main(["fit", "b.csv", "--encoding", "latin-1"]) == 1
    assert "has 1 rows: too few" in capsys.readouterr().err
    words = ["fit", "a.csv", "--decimal", ",", "--window", "4", "--horizon", "2", "--epochs", "1"]
    assert cli.main([*words, "--model", "rnn", "--hidden", "10000000000"]) == 1
    assert "too little memory" in capsys.readouterr().err


@pytest.mark.usefixtures("_here")
@pytest.mark.parametrize("values", ["constant", "ends without values"])
def test_a_series_that_is_hard_to_tell_of(tmp_path, capsys, values):
    rows = [(d, 5 if values == "constant" else VALUES[k]) for k, d in enumerate(DAYS)]
    if values != "constant":
        rows[-4:] = [(d, "") for d, _ in rows[-4:]]
    written(tmp_path / "a.csv", ["date", "load"], rows)
    words = ["fit", "a.csv", "--window", "4", "--horizon", "2", "--epochs", "1", "--model", "rnn"]
    assert cli.main([*words, "--missing", "forward", "--test", "8"]) == 0
    out = capsys.readouterr().out
    assert "above: do not use it instead of the best" in out  # both naive ones are right
    if values != "constant":
        assert cli.main([*words, "--missing", "forward", "--test", "4"]) == 1
        assert "have no value of 'load'" in capsys.readouterr().err


# ---- the same dates and frames elsewhere ------------------------------------------------------------------


def test_the_calendar_takes_dates_in_every_kind(pandas):
    """Days with a zone were a day off: Monday in Berlin begins on Sunday in UTC."""
    plain = np.array(DAYS[:9], "M8[D]")
    expected = calendar(plain, ["dayofweek", "dayofmonth"])
    index = pandas.DatetimeIndex(DAYS[:9])
    kinds = [index, index.tz_localize("Europe/Berlin"), index.to_period("D"), pandas.Series(index),
             DAYS[:9], list(map(str, DAYS[:9])), [f"{d:%d.%m.%Y}" for d in DAYS[:9]]]  # fmt: skip
    for given in kinds:
        np.testing.assert_array_equal(calendar(given, ["dayofweek", "dayofmonth"]), expected)
        assert Frequency.of(given) == Frequency(86400, "s")
    with pytest.raises(TypeError, match="dates: row 0: 'a' is no ISO date"):
        calendar(["a"], "month")
    with pytest.raises(TypeError, match="dates: row 0: 1 is no ISO date"):
        calendar([1, 2], "month")


def test_a_scaler_takes_frames_and_tables(pandas):
    values = np.random.default_rng(0).standard_normal((10, 2))
    frame = pandas.DataFrame(values, columns=["a", "b"], index=pandas.DatetimeIndex(DAYS[:10]))
    right = Scaler().fit(values)
    for given in (frame, table(frame), frame.reset_index(names="day")):
        found = Scaler().fit(given)
        np.testing.assert_array_equal(found.transform(given), right.transform(values))
        np.testing.assert_array_equal(
            found.inverse_transform(given), right.inverse_transform(values)
        )
    with pytest.raises(TypeError, match="column 'b' has dtype"):
        Scaler().fit(frame.assign(b="x"))


def test_naive_forecasts_take_whole_numbers():
    for horizon, season in ((3.0, 7), (0, 7), (3, "week"), (3, 0), (True, 1)):
        with pytest.raises(ValueError, match="must be a whole number from 1 on"):
            seasonal_naive(VALUES, horizon, season)


def test_a_forecast_of_a_backtest_by_its_name():
    came = np.ones((2, 3, 1))
    made = Backtest({"model": came, "seasonal naive (7)": came + 1}, came, ("x",), np.arange(2))
    np.testing.assert_array_equal(made.rmse("seasonal naive"), np.ones((3, 1)))
    np.testing.assert_array_equal(made.skill(against="seasonal"), np.ones((3, 1)))
    with pytest.raises(ValueError, match="there is no forecast 'naive': 'model', 'seasonal naive"):
        made.mae("naive")
