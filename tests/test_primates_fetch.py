"""Files of released datasets: found, verified, downloaded, or missing for a reason. No test leaves this machine."""

import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from pipeline import trials
from pipeline.errors import UserError
from pipeline.primates import DATASETS
from pipeline.primates.fetch import DatasetMissing, files, locate
from pipeline.primates.load import load, summary

NAME = "costa2016_monkey_prl"
PATH = "all_stats_costa.mat"
DATA = bytes(range(256)) * 300
LICENCE = b"do as you please\n"


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch):
    monkeypatch.delenv("PRIMATE_DATA_DIR", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server():
    """Local server; ``server.pages`` is path → (status, bytes sent, promised length); counts what it was asked."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            own = self.server
            own.asked.append(self.path)
            time.sleep(own.delay)
            status, body, promised = own.pages.get(self.path, (404, b"", 0))
            self.send_response(status)
            self.send_header("Content-Length", str(promised))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    own = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    own.daemon_threads = True
    own.pages, own.asked, own.delay = {}, [], 0
    own.url = f"http://127.0.0.1:{own.server_port}"
    threading.Thread(target=own.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield own
    own.shutdown()
    own.server_close()


def closed_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def facts_table(tmp_path, url):
    """A datasets.csv that lists the data and the licence at ``url``."""
    rows = ["dataset,path,url,bytes,sha256"]
    for path, content in ((PATH, DATA), ("LICENSE.txt", LICENCE)):
        rows.append(f"{NAME},{path},{url}/{path},{len(content)},{hashlib.sha256(content).hexdigest()}")
    table = tmp_path / "datasets.csv"
    table.write_text("\n".join(rows) + "\n")
    return table


def offline(tmp_path):
    return {"table": facts_table(tmp_path, f"http://127.0.0.1:{closed_port()}"), "cache": tmp_path / "data"}


def online(tmp_path, server, data=DATA, licence=LICENCE):
    server.pages = {f"/{PATH}": (200, data, len(data)), "/LICENSE.txt": (200, licence, len(licence))}
    return {"table": facts_table(tmp_path, server.url), "cache": tmp_path / "data"}


def folder_with(tmp_path, data, licence=LICENCE, name="named"):
    folder = tmp_path / name / NAME
    folder.mkdir(parents=True)
    (folder / PATH).write_bytes(data)
    if licence is not None:
        (folder / "LICENSE.txt").write_bytes(licence)
    return tmp_path / name


def everything_in(folder):
    return {p.relative_to(folder).as_posix(): p.stat().st_mtime_ns for p in folder.rglob("*")}


def test_a_named_directory_is_read_verified_and_left_alone(tmp_path):
    named = folder_with(tmp_path, DATA)
    for p in (named / NAME / PATH, named / NAME, named):
        p.chmod(0o555 if p.is_dir() else 0o444)
    before = everything_in(named)
    found = locate(NAME, named, **offline(tmp_path))
    assert {path: place.read_bytes() for path, place in found.items()} == {PATH: DATA, "LICENSE.txt": LICENCE}
    assert all(place.is_relative_to(named) for place in found.values())
    assert everything_in(named) == before
    assert not (tmp_path / "data").exists()


def test_data_without_their_licence_file_are_read_without_asking_the_network(tmp_path, server):
    settings = online(tmp_path, server)
    assert list(locate(NAME, folder_with(tmp_path, DATA, licence=None), **settings)) == [PATH]
    assert server.asked == []


def test_the_environment_variable_names_the_directory_and_the_argument_wins(tmp_path, monkeypatch):
    settings = offline(tmp_path)
    first, second = folder_with(tmp_path, DATA, name="first"), folder_with(tmp_path, DATA, name="second")
    monkeypatch.setenv("PRIMATE_DATA_DIR", str(first))
    assert locate(NAME, **settings)[PATH] == first / NAME / PATH
    assert locate(NAME, second, **settings)[PATH] == second / NAME / PATH


@pytest.mark.parametrize("where", ["named", "data"])
def test_a_wrong_checksum_stops_with_file_both_checksums_and_remedy(tmp_path, where, server):
    altered = bytes([DATA[0] ^ 1]) + DATA[1:]
    folder = folder_with(tmp_path, altered, name=where)
    settings = online(tmp_path, server)
    with pytest.raises(UserError) as said:
        locate(NAME, folder if where == "named" else None, **settings)
    message = str(said.value)
    for part in (str(folder / NAME / PATH), hashlib.sha256(DATA).hexdigest(), hashlib.sha256(altered).hexdigest()):
        assert part in message
    assert "delete it" in message and "\n" not in message
    assert server.asked == [], "an altered file must not be papered over by a download"


def test_a_truncated_file_stops_with_both_sizes(tmp_path):
    folder = folder_with(tmp_path, DATA[:-1000])
    with pytest.raises(UserError, match=r"cut short: 75,800 bytes, expected 76,800; delete it"):
        locate(NAME, folder, **offline(tmp_path))


def test_a_directory_that_lacks_the_dataset_falls_back_to_a_verified_download_made_once(tmp_path, server):
    settings = online(tmp_path, server)
    empty = tmp_path / "named"
    empty.mkdir()
    found = locate(NAME, empty, **settings)
    assert found == {path: tmp_path / "data" / NAME / path for path in (PATH, "LICENSE.txt")}
    assert found[PATH].read_bytes() == DATA
    assert not any(empty.iterdir())
    assert len(server.asked) == 2
    assert locate(NAME, empty, **settings) == found
    assert len(server.asked) == 2, "what is there is not downloaded again"


def test_a_licence_that_cannot_be_downloaded_does_not_stop_the_data(tmp_path, server):
    settings = online(tmp_path, server)
    del server.pages["/LICENSE.txt"]
    assert list(locate(NAME, **settings)) == [PATH]


def test_other_bytes_from_the_server_stop_the_run_and_are_not_kept(tmp_path, server):
    page = b"<html>please log in</html>"
    with pytest.raises(UserError, match=r"as sent by http.*26 bytes, expected 76,800; is a proxy"):
        locate(NAME, **online(tmp_path, server, data=page))
    assert not any(p.is_file() for p in (tmp_path / "data").rglob("*"))


def test_a_download_that_breaks_off_is_missing_data_and_leaves_nothing(tmp_path, server):
    settings = online(tmp_path, server)
    server.pages[f"/{PATH}"] = (200, DATA[:5000], len(DATA))
    with pytest.raises(DatasetMissing, match=r"the connection to 127\.0\.0\.1:\d+ broke off"):
        locate(NAME, **settings)
    assert not any(p.is_file() for p in (tmp_path / "data").rglob("*"))


def test_an_interrupted_download_leaves_nothing(tmp_path, monkeypatch):
    import pooch

    def interrupted(self, url, output_file, _):
        with open(output_file, "wb") as part:
            part.write(DATA[:5000])
        raise KeyboardInterrupt

    monkeypatch.setattr(pooch.HTTPDownloader, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        locate(NAME, **offline(tmp_path))
    assert not any(p.is_file() for p in (tmp_path / "data").rglob("*"))


def test_a_file_that_the_server_lacks_is_missing_for_that_reason(tmp_path, server):
    with pytest.raises(DatasetMissing, match="answered 404 Not Found"):
        locate(NAME, table=facts_table(tmp_path, server.url), cache=tmp_path / "data")


def test_a_server_that_never_answers_is_given_up_after_the_timeout(tmp_path, server):
    settings = online(tmp_path, server)
    server.delay = 3
    start = time.monotonic()
    with pytest.raises(DatasetMissing, match="did not answer in time"):
        locate(NAME, **settings, timeout=(0.3, 0.3))
    assert time.monotonic() - start < 2


def test_without_network_and_directory_the_table_has_no_rows_and_a_reason_that_survives_the_file(tmp_path):
    start = time.monotonic()
    table = load(NAME, **offline(tmp_path))
    assert time.monotonic() - start < 5
    assert len(table) == 0
    trials.check(table)
    assert table.attrs["status"] == "missing"
    for part in (PATH, "no connection to 127.0.0.1", "PRIMATE_DATA_DIR", "primate_data_dir"):
        assert part in table.attrs["reason"]
    trials.write(table, tmp_path / "t.parquet", tmp_path / "t.csv", table.attrs)
    again = trials.read(tmp_path / "t.parquet")
    assert len(again) == 0 and again.attrs["reason"] == table.attrs["reason"]


def test_facts_stand_in_for_a_dataset_that_is_missing():
    facts = summary(NAME)
    assert facts.attrs["label"] == "published summary kept as facts"
    assert set(facts["subject"]) == {*DATASETS[NAME].subjects, "all"}
    value = facts.set_index(["subject", "statistic"])["value"]
    assert value["all", "trials"] == 88480
    assert round(value["all", "win_stay"], 3) == 0.955


def test_a_list_of_files_with_a_bad_row_says_which(tmp_path):
    table = tmp_path / "datasets.csv"
    table.write_text(f"dataset,path,url,bytes,sha256\n{NAME},{PATH},http://127.0.0.1/x,many,00\n")
    with pytest.raises(UserError, match=r"datasets.csv: a row of 'costa2016_monkey_prl' .*many"):
        files(NAME, table)
    table.write_text("dataset,path,url,bytes,sha256\n")
    with pytest.raises(UserError, match="no file is listed"):
        files(NAME, table)
