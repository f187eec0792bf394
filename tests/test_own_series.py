"""A series of one's own: read, put on its dates, filled by choice, scaled, cut into windows."""

import datetime

import numpy as np
import pytest

import tinygrad_rnn as tg
from tinygrad_rnn import data
from tinygrad_rnn.data import Frequency, Scaler, calendar, read_csv, table, windows

NAN = float("nan")


def days(first, n, step=1):
    begin = datetime.date.fromisoformat(first)
    return [begin + datetime.timedelta(days=step * k) for k in range(n)]


# ---- windows ----------------------------------------------------------------------------------------


def by_loops(series, window, horizon, stride, places):
    """What windows are, a number at a time."""
    x, y = [], []
    for one in series:
        start = 0
        while start + window + horizon <= len(one):
            x.append([[float(v) for v in one[start + k]] for k in range(window)])
            y.append([[float(one[start + window + k][p]) for p in places] for k in range(horizon)])
            start += stride
    return np.array(x, np.float32), np.array(y, np.float32)


@pytest.mark.parametrize(
    ("lengths", "columns", "window", "horizon", "stride", "target"),
    [
        ([9], 1, 3, 1, 1, None),
        ([9], 1, 3, 4, 2, None),
        ([20], 3, 5, 2, 3, [2]),
        ([20], 3, 5, 2, 3, [2, 0]),
        ([6, 13, 9], 2, 4, 2, 1, [1]),
        ([6, 13, 9], 2, 4, 2, 5, None),
        ([4], 1, 3, 1, 9, None),
    ],
)
def test_windows_as_loops_cut_them(rng, lengths, columns, window, horizon, stride, target):
    series = [rng.standard_normal((n, columns)) for n in lengths]
    places = list(range(columns)) if target is None else target
    expected = by_loops(series, window, horizon, stride, places)
    given = series[0] if len(series) == 1 else series
    found = windows(given, window, horizon, stride, target=target)
    assert found.x.dtype == found.y.dtype == np.float32
    for got, wanted in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, wanted)
    assert isinstance(found, data.Windows)


def test_windows_own_their_memory_and_are_batches():
    series = np.arange(10.0)
    x, _ = windows(series, 3)
    x[0, 0] = 99.0
    assert series[0] == 0.0
    assert x[1, 0, 0] == 1.0  # no other window shares the value
    loader = tg.DataLoader(windows(series, 3), batch_size=4)
    assert [(a.shape, b.shape) for a, b in loader] == [
        ((4, 3, 1), (4, 1, 1)),
        ((3, 3, 1), (3, 1, 1)),
    ]


def test_windows_with_missing_values():
    series = [1.0, 2.0, NAN, 4.0, 5.0, 6.0, 7.0]
    assert windows(series, 2, missing="skip").x[:, :, 0].tolist() == [[4.0, 5.0], [5.0, 6.0]]
    assert windows(series, 2, missing="interpolate").x[1, :, 0].tolist() == [2.0, 3.0]
    assert windows(series, 2, missing="forward").x[1, :, 0].tolist() == [2.0, 2.0]
    with pytest.raises(ValueError, match=r"1 in column '0' \(row 2\)"):
        windows(series, 2)
    with pytest.raises(ValueError, match="every window has a missing value"):
        windows([1.0, NAN, 2.0], 1, missing="skip")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"window": 0}, "window must be a whole number from 1 on, got 0"),
        ({"window": 3, "horizon": 0}, "horizon must be a whole number from 1 on, got 0"),
        ({"window": 3, "stride": -1}, "stride must be"),
        ({"window": 2.0}, "window must be"),
        ({"window": True}, "window must be"),
        ({"window": 4, "horizon": 2}, "series 0 has 5 rows, and window=4 with horizon=2 takes 6"),
        ({"window": 2, "target": "load"}, "there is no target 'load': the series has '0'"),
        ({"window": 2, "target": 1}, "there is no target 1"),
        ({"window": 2, "missing": "mean"}, "missing must be one of"),
    ],
)
def test_windows_refuse(options, words):
    with pytest.raises(ValueError, match=words):
        windows([1.0, 2.0, 3.0, 4.0, 5.0], **options)


def test_a_list_of_numbers_is_one_series_and_a_list_of_lists_several():
    assert len(windows([1, 2, 3, 4], 2).x) == 2
    assert len(windows([[1, 2, 3, 4], [5, 6, 7]], 2).x) == 3
    with pytest.raises(ValueError, match="empty list"):
        windows([], 2)
    with pytest.raises(ValueError, match="series 1 has the columns"):
        windows([np.zeros((5, 1)), np.zeros((5, 2))], 2)


# ---- the scaler ---------------------------------------------------------------------------------------


def test_scaler_is_what_it_says(rng):
    values = rng.standard_normal((50, 2)) * [3.0, 0.1] + [100.0, -2.0]
    standard = Scaler().fit(values)
    for k in range(2):
        column = [float(v) for v in values[:, k]]
        mean = sum(column) / 50
        deviation = (sum((v - mean) ** 2 for v in column) / 50) ** 0.5
        np.testing.assert_allclose(standard.transform(values)[7, k], (column[7] - mean) / deviation)
    scaled = Scaler("minmax").fit_transform(values)
    np.testing.assert_allclose([scaled.min(0), scaled.max(0)], [[0, 0], [1, 1]], atol=1e-12)
    for kind in ("standard", "minmax", "none"):
        scaler = Scaler(kind).fit(values)
        np.testing.assert_allclose(scaler.inverse_transform(scaler.transform(values)), values)
        again = Scaler.from_state(scaler.state_dict())
        np.testing.assert_array_equal(again.transform(values), scaler.transform(values))


def test_scaler_at_its_edges():
    constant = Scaler().fit([[0.1], [0.1], [0.1]])
    np.testing.assert_allclose(constant.transform([[0.1], [1.1]]), [[0.0], [1.0]], atol=1e-12)
    gaps = Scaler("minmax").fit([[1.0], [NAN], [3.0]])
    np.testing.assert_array_equal(gaps.transform([[NAN], [2.0]]), [[NAN], [0.5]])
    with pytest.raises(ValueError, match="call fit before"):
        Scaler().transform([[1.0]])
    with pytest.raises(ValueError, match="fitted on 1 columns"):
        gaps.transform([[1.0, 2.0]])
    with pytest.raises(ValueError, match="kind must be one of"):
        Scaler("robust")
    with pytest.raises(ValueError, match="no value to be fitted on"):
        Scaler().fit([[NAN]])


# ---- dates --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("dates", "expected", "season"),
    [
        (["2024-01-30", "2024-01-31", "2024-02-01"], ["2024-02-02", "2024-02-03"], 7),
        (["2024-01-01", "2024-01-08", "2024-01-22"], ["2024-01-29", "2024-02-05"], 52),
        (["2024-01-01", "2024-02-01", "2024-04-01"], ["2024-05-01", "2024-06-01"], 12),
        (["2023-12-31", "2024-01-31", "2024-02-29"], ["2024-03-31", "2024-04-30"], 12),
        (["2023-10-30", "2023-11-30", "2023-12-30"], ["2024-01-30", "2024-02-29"], 12),
        (["2024-03-31", "2024-06-30", "2024-09-30"], ["2024-12-31", "2025-03-31"], 4),
        (["1999-01-01", "2000-01-01", "2001-01-01"], ["2002-01-01", "2003-01-01"], None),
        (["2024-01-04", "2024-01-05", "2024-01-08", "2024-01-09"], ["2024-01-10", "2024-01-11"], 5),
        (["2024-01-04T23:00", "2024-01-05T00:00"], ["2024-01-05T01:00", "2024-01-05T02:00"], 24),
        (["2024-01-04T23:30", "2024-01-05T00:00"], ["2024-01-05T00:30", "2024-01-05T01:00"], 48),
    ],
)
def test_frequency_goes_on(dates, expected, season):
    given = np.array(dates, "M8[s]")
    frequency = Frequency.of(given)
    np.testing.assert_array_equal(frequency.after(given[-1], 2), np.array(expected, "M8[s]"))
    assert frequency.season == season
    rows = frequency.rows(given)
    np.testing.assert_array_equal(frequency.after(given[0], rows[-1])[rows[1:] - 1], given[1:])


def test_absent_dates_are_missing_values():
    found = table(
        [1.0, 2.0, 5.0, 6.0], dates=["2024-01-01", "2024-01-02", "2024-01-05", "2024-01-06"]
    )
    np.testing.assert_array_equal(found.values.ravel(), [1, 2, NAN, NAN, 5, 6])
    np.testing.assert_array_equal(found.filled("interpolate").values.ravel(), [1, 2, 3, 4, 5, 6])
    np.testing.assert_array_equal(found.filled("forward").values.ravel(), [1, 2, 2, 2, 5, 6])
    with pytest.raises(ValueError, match=r"2 in column '0' \(2024-01-03, 2024-01-04\)"):
        found.filled()


def test_filling_at_the_ends():
    gaps = table([NAN, 1.0, NAN, 3.0, NAN])
    np.testing.assert_array_equal(gaps.filled("interpolate").values.ravel(), [1, 1, 2, 3, 3])
    with pytest.raises(ValueError, match="begins without a value"):
        gaps.filled("forward")
    with pytest.raises(ValueError, match="column '0' has no value at all"):
        table([NAN, NAN]).filled("interpolate")


@pytest.mark.parametrize(
    ("dates", "words"),
    [
        (
            ["2024-01-02", "2024-01-01", "2024-01-03"],
            r"2024-01-01 \(row 1\) comes after 2024-01-02; sort",
        ),
        (["2024-01-01", "2024-01-01", "2024-01-02"], r"2024-01-01 \(row 1\) comes twice; keep one"),
        (["2024-01-01T00:00", "2024-01-01T01:00", "2024-01-01T02:30"], "irregular"),
        (["2024-01-01", "2024-01-02", "2024-02-20"], "irregular"),
        (["2024-01-01", "2024-01-02"], "2 dates for 3 rows"),
    ],
)
def test_dates_are_refused(dates, words):
    with pytest.raises(ValueError, match=words):
        table([1.0, 2.0, 3.0], dates=np.array(dates, "M8[s]"))


def test_the_calendar_of_python():
    """Against the standard library's own words for a date."""
    begin = datetime.datetime(2023, 12, 25, 5)
    moments = [begin + datetime.timedelta(hours=7 * k) for k in range(2000)]
    features = ["hour", "dayofweek", "dayofmonth", "month", "dayofyear"]
    found = calendar(np.array(moments, "M8[s]"), features)
    for moment, row in zip(moments, found, strict=True):
        year = datetime.datetime(moment.year, 1, 1)
        length = (datetime.datetime(moment.year + 1, 1, 1) - year).days
        passed = (moment - year).total_seconds() / 86400
        parts = [
            moment.hour / 24,
            moment.weekday() / 7,
            (moment.day - 1 + moment.hour / 24) / 31,
            (moment.month - 1) / 12,
            passed / length,
        ]
        turns = 2 * np.pi * np.array(parts)
        expected = np.stack([np.sin(turns), np.cos(turns)], 1).ravel()
        np.testing.assert_allclose(row, expected, atol=1e-9)
    with pytest.raises(ValueError, match="'week' is no feature; there are hour, dayofweek"):
        calendar(days("2024-01-01", 3), ["week"])


# ---- frames and files -----------------------------------------------------------------------------------


@pytest.fixture
def pandas():
    return pytest.importorskip("pandas")


def test_a_frame_by_its_index_its_column_and_its_name(pandas):
    load, warm = [5.0, NAN, 7.0], [1, 2, 3]
    dates = pandas.date_range("2024-01-01", periods=3)
    plain = pandas.DataFrame({"load": load, "warm": warm})
    by_index = table(plain.set_index(dates))
    by_column = table(plain.assign(date=dates))
    by_name = table(plain.assign(day=dates.strftime("%Y-%m-%d")), dates="day")
    by_array = table(plain, dates=dates)
    by_period = table(plain.set_index(dates.to_period("D")))
    for found in (by_index, by_column, by_name, by_array, by_period):
        assert found.names == ("load", "warm")
        np.testing.assert_array_equal(found.values, np.array([load, warm]).T)
        np.testing.assert_array_equal(found.dates, dates.to_numpy().astype("M8[s]"))
    assert table(plain).dates is None
    series = table(by_index.values[:, 0])
    np.testing.assert_array_equal(series.values, table(plain["load"]).values)
    assert table(plain["load"]).names == ("load",)
    nullable = plain.astype({"warm": "Int64", "load": "Float64"})
    np.testing.assert_array_equal(table(nullable).values, table(plain).values)
    zone = plain.set_index(dates.tz_localize("UTC"))
    np.testing.assert_array_equal(table(zone).dates, by_index.dates)


@pytest.mark.parametrize("text", ["object", "string", "category"])
def test_a_text_column_is_named_with_its_dtype(pandas, text):
    frame = pandas.DataFrame({"load": [1.0, 2.0], "place": ["north", "south"]})
    frame["place"] = frame["place"].astype(text)
    words = rf"column 'place' has dtype {frame['place'].dtype}.*drop"
    with pytest.raises(TypeError, match=words):
        windows(frame, 1)
    dates = pandas.DataFrame({"load": [1.0, 2.0], "date": ["2024-01-01", "2024-01-02"]})
    with pytest.raises(TypeError, match=r"column 'date'.*pd.to_datetime"):
        windows(dates, 1)


def test_dates_with_a_zone(pandas):
    days = pandas.date_range(
        "2024-03-25", periods=10, tz="Europe/Berlin"
    )  # the clocks change inside
    frame = pandas.DataFrame({"load": np.arange(10.0)}, index=days)
    found = table(frame)
    assert found.frequency.season == 7
    assert str(found.dates[0]) == "2024-03-25T00:00:00"
    hours = pandas.date_range("2024-03-30", periods=48, freq="h", tz="Europe/Berlin")
    found = table(pandas.DataFrame({"load": np.arange(48.0), "when": hours}))
    assert found.frequency.season == 24
    assert str(found.dates[0]) == "2024-03-29T23:00:00"
    assert len(found) == 48


def test_one_row_and_none(pandas):
    frame = pandas.DataFrame({"load": [1.0]}, index=pandas.date_range("2024-01-01", periods=1))
    assert table(frame).frequency is None
    with pytest.raises(ValueError, match="the series is empty"):
        table(frame[:0])
    with pytest.raises(TypeError, match=r"read_csv\('load.csv'\) reads a file"):
        table("load.csv")


def test_frames_are_refused(pandas):
    frame = pandas.DataFrame({"load": [1.0, 2.0, 3.0]})
    dates = pandas.date_range("2024-01-01", periods=3)
    with pytest.raises(ValueError, match="must rise"):
        table(frame.set_index(dates[::-1]))
    with pytest.raises(ValueError, match="there is no target 'laod': the series has 'load'"):
        windows(frame, 1, target="laod")
    with pytest.raises(ValueError, match="no column 'day'"):
        table(frame, dates="day")
    with pytest.raises(ValueError, match="no date"):
        table(frame.set_index(pandas.DatetimeIndex([dates[0], pandas.NaT, dates[2]])))
    with pytest.raises(ValueError, match="infinite at 2024-01-02"):
        table(frame.assign(load=[1.0, np.inf, 2.0]).set_index(dates))
    with pytest.raises(ValueError, match="no column of numbers"):
        table(pandas.DataFrame({"date": dates}))
    with pytest.raises(ValueError, match="columns of one name"):
        table(pandas.DataFrame([[1.0, 2.0]], columns=["a", "a"]))


def test_a_file_is_what_pandas_reads(tmp_path, pandas):
    path = tmp_path / "load.csv"
    path.write_text("date,load,warm\n2024-01-01,5,1e1\n2024-01-02,,2\n2024-01-04,7,NaN\n")
    ours, theirs = read_csv(path), table(pandas.read_csv(path, parse_dates=["date"]))
    np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_array_equal(ours.dates, theirs.dates)
    assert ours.names == theirs.names == ("load", "warm")
    semicolons = tmp_path / "s.csv"
    semicolons.write_text("\ufeffdate;load\r\n2024-01;5\r\n2024-02;6\r\n", encoding="utf-8")
    assert read_csv(semicolons).frequency.season == 12
    plain = tmp_path / "plain.csv"
    plain.write_text("load\n5\n6\n")
    assert read_csv(plain).dates is None


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (
            "date,load\n2024-01-01,5\n2024-01-02,five\n",
            r"line 3: 'five' in column 'load' is no number",
        ),
        ("date,load\n2024-01-01,5\n2024-01-02\n", "line 3: 1 cells, and the heading has 2"),
        ("date,load\n2024-01-01,5\n2024-01-01,6\n", "comes twice"),
        ("1,2\n3,4\n", "must be a heading"),
        ("load,load\n3,4\n", "two columns have one name"),
        ("load\n", "expected a heading and rows"),
        ("", "expected a heading and rows"),
        ("date\n2024-01-01\n2024-01-02\n", "no column of numbers beside 'date'"),
        ("date,load\n01/02/2024,5\n02/02/2024,6\n", "'01/02/2024' in column 'date' is no number"),
    ],
)
def test_files_are_refused(tmp_path, text, words):
    path = tmp_path / "load.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=words):
        read_csv(path)


def test_the_column_of_dates_is_named(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("date,load\n2024-01-01,5\n2.1.2024,6\n")
    with pytest.raises(ValueError, match=r"line 3: '2.1.2024' in column 'date' is no ISO date"):
        read_csv(path, dates="date")
    with pytest.raises(ValueError, match="no column 'day', only 'date', 'load'"):
        read_csv(path, dates="day")
    with pytest.raises(FileNotFoundError):
        read_csv(tmp_path / "none.csv")


def test_some_columns_alone(tmp_path):
    path = tmp_path / "load.csv"
    path.write_text("date,load,note,warm\n2024-01-01,5,ok,1\n2024-01-02,6,ok,2\n")
    with pytest.raises(ValueError, match="'ok' in column 'note' is no number; columns="):
        read_csv(path)
    found = read_csv(path, columns=["warm", "load"])
    assert found.names == ("warm", "load")
    assert found.values.tolist() == [[1.0, 5.0], [2.0, 6.0]]
    assert found.frequency.season == 7
    with pytest.raises(ValueError, match="no column 'laod'"):
        read_csv(path, columns=["laod"])


def test_series_that_ship_are_tables():
    assert table(data.sunspots()).frequency == Frequency(12, "M")
    weekly = table(data.co2())
    assert weekly.frequency.season == 52
    assert int(np.isnan(weekly.values).sum()) == 59


def test_what_is_masked_is_missing():
    masked = np.ma.masked_array([1, 2, 3], mask=[False, True, False])
    np.testing.assert_array_equal(table(masked).values.ravel(), [1.0, NAN, 3.0])
    assert masked.data.tolist() == [1, 2, 3]


def test_parts_of_a_second_are_no_silent_seconds(tmp_path):
    dates = np.datetime64("2024-01-01", "ms") + 1500 * np.arange(4)
    with pytest.raises(ValueError, match="parts of a second"):
        table([1.0, 2.0, 3.0, 4.0], dates=dates)
    path = tmp_path / "fast.csv"
    path.write_text("date,load\n2024-01-01T00:00:00,5\n2024-01-01T00:00:01.5,6\n")
    with pytest.raises(ValueError, match="parts of a second"):
        read_csv(path)


def test_what_is_no_series():
    with pytest.raises(TypeError, match="dtype <U1"):
        table(["a", "b"])
    with pytest.raises(ValueError, match=r"shape \(2, 2, 2\)"):
        table(np.zeros((2, 2, 2)))
    with pytest.raises(ValueError, match="empty"):
        table(np.zeros((0, 2)))
    with pytest.raises(TypeError, match="slices of rows"):
        table([1.0, 2.0])[0]
