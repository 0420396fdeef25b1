"""Every container gives the same content, in the order of names; nothing harmful or damaged passes."""

import bz2
import gzip
import io
import lzma
import random
import subprocess
import tarfile
import zipfile

import pytest

from gptgrid.artifact.errors import UserError
from gptgrid.stages.corpus.reading import containers
from gptgrid.stages.corpus.reading.containers import open_members, zstd

TEXT = "".join(random.Random(0).choices("abcdefgh 红楼梦\n", k=300_000)).encode()
MEMBERS = {"b/two.txt": TEXT, "a.txt": b"one\n", "c/three.csv": b"x\n1\n"}
PACKERS = {"gz": gzip.compress, "zst": zstd.compress, "bz2": bz2.compress, "xz": lzma.compress}


def tar_of(members: dict[str, bytes], mode: str = "w", **kinds: bytes) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        folder = tarfile.TarInfo("b")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.type, info.linkname = len(content), kinds.get("type", tarfile.REGTYPE), "a"
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("b/", b"")
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ARCHIVES = {
    "zip": zip_of(MEMBERS),
    "tar": tar_of(MEMBERS),
    **{f"tar.{ending}": pack(tar_of(MEMBERS)) for ending, pack in PACKERS.items()},
}


@pytest.fixture
def read(tmp_path):
    """Return a function: content of a file → {name: content} of its members, in their order."""

    def read(content: bytes, members=None, name="x", **options) -> dict[str, bytes]:
        (tmp_path / "file").write_bytes(content)
        return {
            member: stream.read()
            for member, stream in open_members(tmp_path / "file", name, members, scratch=tmp_path, **options)
        }

    return read


@pytest.mark.parametrize("ending", PACKERS)
def test_packed_text(read, ending):
    assert read(PACKERS[ending](TEXT), name=f"my.jsonl.{ending}") == {"my.jsonl": TEXT}
    assert read(PACKERS[ending](TEXT) + PACKERS[ending](b"more"), name="x") == {"x": TEXT + b"more"}
    assert read(PACKERS[ending](b"")) == {"x": b""}


def test_plain_text_comes_as_it_is_and_can_be_sought(read, tmp_path):
    assert read(TEXT, name="x.gz") == {"x.gz": TEXT}
    assert read(b"") == {"x": b""}
    assert read(b"BZh, said the fly") == {"x": b"BZh, said the fly"}
    (tmp_path / "plain").write_bytes(TEXT)
    assert [stream.seekable() for _, stream in open_members(tmp_path / "plain", "x", None)] == [True]


@pytest.mark.parametrize("kind", ARCHIVES)
def test_archive_gives_its_files_by_name(read, tmp_path, kind):
    found = read(ARCHIVES[kind])
    assert list(found.items()) == [(f"x/{name}", MEMBERS[name]) for name in sorted(MEMBERS)]
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize("kind", ["zip", "tar.zst"])
def test_chosen_members(read, kind):
    assert list(read(ARCHIVES[kind], ["*.csv", "a.txt", "a*"])) == ["x/a.txt", "x/c/three.csv"]
    with pytest.raises(
        UserError, match=r"x has no member \*\.tsv; it has 3: a\.txt, b/two\.txt, c/three\.csv"
    ):
        read(ARCHIVES[kind], ["a.txt", "*.tsv"])
    with pytest.raises(UserError, match=r"it has 12: 00, .* 09 …"):
        read(zip_of({f"{i:02}": b"x" for i in range(12)}), ["y"])


@pytest.mark.parametrize("content", [zip_of({}), tar_of({})])
def test_archive_without_files(read, content):
    with pytest.raises(UserError, match="x has no files"):
        read(content)


def test_members_of_one_file_are_refused(read):
    with pytest.raises(UserError, match="x is one file, not an archive; take `members` out"):
        read(TEXT, ["a"])


def test_packed_members_are_unpacked_and_archives_inside_refused(read):
    assert read(zip_of({"a.jsonl.gz": gzip.compress(TEXT)})) == {"x/a.jsonl": TEXT}
    for inner in (ARCHIVES["tar.gz"], ARCHIVES["zip"], ARCHIVES["tar"]):
        with pytest.raises(UserError, match="x/in is an archive inside an archive"):
            read(tar_of({"in": inner}))
    with pytest.raises(UserError, match="x is an archive inside an archive"):
        read(gzip.compress(ARCHIVES["zip"]))


def test_long_windows_and_frames_to_skip(read):
    options = {
        zstd.CompressionParameter.window_log: 31,
        zstd.CompressionParameter.enable_long_distance_matching: 1,
    }
    compressor = zstd.ZstdCompressor(options=options)
    packed = compressor.compress(TEXT) + compressor.flush()
    assert read(packed) == {"x": TEXT}
    assert read(b"\x50\x2a\x4d\x18\x04\0\0\0abcd" + zstd.compress(TEXT)) == {"x": TEXT}


def test_dot_slash_is_no_part_of_a_name(read):
    assert list(read(tar_of({"./a.txt": b"x"}), ["a.txt"])) == ["x/a.txt"]


# ------------------------------------------------------------------------------------------ damage


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("cut", [-1, -5, 30_000, 20])
def test_truncated(read, ending, cut):
    with pytest.raises(UserError, match=r"^x is damaged \(.+\); fetch or pack it again"):
        read(PACKERS[ending](TEXT)[:cut])


@pytest.mark.parametrize("kind", ARCHIVES)
@pytest.mark.parametrize("share", [0.4, 0.6, 0.97])
def test_truncated_archive(read, kind, share):
    with pytest.raises(UserError, match=r"^x\S* is damaged"):
        read(ARCHIVES[kind][: int(share * len(ARCHIVES[kind]))])


@pytest.mark.parametrize("ending", PACKERS)
def test_flipped_bits(read, ending):
    packed = bytearray(PACKERS[ending](TEXT))
    packed[len(packed) // 2] ^= 0x55
    if ending != "zst":  # whose checksum is optional, and off by default
        with pytest.raises(UserError, match="x is damaged"):
            read(bytes(packed))


@pytest.mark.parametrize("ending", PACKERS)
@pytest.mark.parametrize("size", [10, 2**16, 200_000])
def test_streams_behind_the_first_are_read_and_must_be_sound(read, ending, size):
    first, second = PACKERS[ending](TEXT[:size]), PACKERS[ending](TEXT[size:])
    assert read(first + second, name=f"x.{ending}") == {"x": TEXT}
    for behind in (bytes([second[0] ^ 1]) + second[1:], b"garbage", second[:-3]):
        with pytest.raises(UserError, match=r"x is damaged \(.*\); fetch or pack it again"):
            read(first + behind, name="x")


@pytest.mark.parametrize("zeros", [0, 4, 2**16 + 4])
def test_padding_of_xz(read, zeros):
    one, two = lzma.compress(b"one "), lzma.compress(b"two")
    assert read(one + bytes(zeros) + two + bytes(zeros)) == {"x": b"one two"}
    for content in (one + bytes(zeros + 3), one + bytes(zeros + 3) + two):
        with pytest.raises(UserError, match="zero bytes behind a stream"):
            read(content)


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"4d7a2146" * 8 + b"\nsize 12345\n"


@pytest.mark.parametrize(
    ("content", "command"),
    [
        (LFS, "git lfs pull"),
        (LFS.replace(b"\n", b"\r\n"), "git lfs pull"),
        (LFS.replace(b"oid", b"ext-0-case sha256:00\noid"), "git lfs pull"),
        (b"/annex/objects/MD5E-s4--0123.txt\n", "git annex get"),
    ],
)
def test_pointers_of_git_are_no_texts(read, content, command):
    for packed in (content, gzip.compress(content), zip_of({"a.txt": content})):
        with pytest.raises(UserError, match=rf"only names a file .*; run `{command}` where it was cloned"):
            read(packed)
    about = b"A pointer:\n" + content
    assert read(about) == {"x": about}
    assert read(content + b"That is all.") == {"x": content + b"That is all."}


def test_wrong_crc_names_file_and_member(read):
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        archive.writestr("a.txt", "one\n")
    content = stored.getvalue().replace(b"one\n", b"two\n")
    with pytest.raises(UserError, match=r"x/a\.txt is damaged \(Bad CRC-32"):
        read(content)


def test_damaged_header_inside_a_tar_is_not_the_end(read):
    content = bytearray(tar_of({"a": b"1", "b": b"2", "c": b"3"}))
    content[3 * 512 + 10] ^= 1
    with pytest.raises(UserError, match="ends without its end mark"):
        read(bytes(content))


def test_encrypted_member(read):
    content = bytearray(zip_of({"a.txt": b"one"}))
    for header, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        content[content.rindex(header) + offset] |= 1
    with pytest.raises(UserError, match=r"x/a\.txt is encrypted; unpack it yourself"):
        read(bytes(content))


def test_missing_file(tmp_path):
    with pytest.raises(UserError, match=r"x cannot be read or unpacked \(No such file"):
        next(open_members(tmp_path / "none", "x", None))


# ------------------------------------------------------------------------------------------- harm


@pytest.mark.parametrize("pack", [zip_of, tar_of])
@pytest.mark.parametrize("name", ["../a", "a/../../b", "/etc/a", "..\\a", "C:/a"])
def test_names_that_lead_outside(read, tmp_path, pack, name):
    with pytest.raises(UserError, match="leads outside of the archive"):
        read(pack({name: b"x"}))
    assert read(pack({name: b"x", "good": b"y"}), ["good"]) == {"x/good": b"y"}


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices(read, kind):
    with pytest.raises(UserError, match="x/a is a link or a device"):
        read(tar_of({"a": b""}, type=kind))


def test_link_in_a_zip(read):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("a")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(UserError, match="x/a is a link or a device"):
        read(buffer.getvalue())


@pytest.mark.parametrize("pack", [*PACKERS.values(), lambda text: zip_of({"a": text}), lambda text: gzip.compress(tar_of({"a": text}))])  # fmt: skip
def test_limit(read, pack):
    with pytest.raises(UserError, match=r"x unpacks to more than 100,000 bytes; raise `max_bytes`"):
        read(pack(TEXT), limit=100_000)
    assert len(read(pack(TEXT), limit=2 * len(TEXT))) == 1


@pytest.mark.parametrize(
    "pack", [zstd.compress, bz2.compress, lambda zeros: zip_of({"a": gzip.compress(zeros)})]
)
def test_bombs(read, pack, monkeypatch):
    monkeypatch.setattr(containers, "RATIO_FROM", 10**6)
    with pytest.raises(UserError, match=r"unpacks to more than 1000 times as many"):
        read(pack(bytes(20_000_000)))


def test_sparse_tar_is_a_bomb_too(read, tmp_path, monkeypatch):
    monkeypatch.setattr(containers, "RATIO_FROM", 10**6)
    with (tmp_path / "holes").open("wb") as file:
        file.truncate(50_000_000)
    subprocess.run(["tar", "-cSf", "t.tar", "holes"], cwd=tmp_path, check=True)
    with pytest.raises(UserError, match=r"unpacks to more than 1000 times as many"):
        read((tmp_path / "t.tar").read_bytes())
