"""Radio frames: bytes to values and back without loss, garbage refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qiki_xpdr.frames import HMAC, SIGNATURE, Answer, Claim, FrameError, Interrogation, Manifest, decode

identities = st.text("ABCXYZ019_-", max_size=15).map(lambda text: "Q" + text)
times = st.integers(-(2**63), 2**63 - 1)
numbers = st.floats(-1e9, 1e9)
vectors = st.tuples(numbers, numbers, numbers)
bytes16 = st.binary(min_size=16, max_size=16)
bytes8 = st.binary(min_size=8, max_size=8)
claims = st.builds(Claim, identities, times, st.integers(0, 2**32 - 1), st.integers(0, 3), vectors, vectors)
manifests = st.builds(
    Manifest,
    identities,
    bytes8,
    times,
    times,
    times,
    bytes16,
    st.lists(bytes16, max_size=64).map(tuple),
    st.binary(min_size=64, max_size=64),
)
interrogations = st.builds(Interrogation, identities, identities, times, bytes16, st.sampled_from((HMAC, SIGNATURE)))
answers = st.one_of(
    *(
        st.builds(
            Answer,
            identities,
            bytes16,
            times,
            bytes16,
            bytes8,
            st.just(method),
            st.binary(min_size=size, max_size=size),
        )
        for method, size in ((HMAC, 32), (SIGNATURE, 64))
    )
)
frames = st.one_of(claims, manifests, interrogations, answers)


@pytest.mark.requirement("XPDR-1")
@given(frames)
def test_a_frame_comes_back_as_it_was(frame):
    assert decode(frame.encode()) == frame


@pytest.mark.requirement("XPDR-1")
@given(frames, st.integers(0, 2000), st.binary(max_size=3))
def test_a_cut_or_longer_frame_is_refused(frame, length, more):
    content = frame.encode()
    cut = content[: length % len(content)]
    for wrong in (cut, content + b"\0" + more):
        with pytest.raises(FrameError):
            decode(wrong)


@pytest.mark.requirement("XPDR-1")
@given(st.binary(max_size=300), st.integers(0, 5))
def test_garbage_is_refused_or_a_frame_of_the_same_bytes(content, kind):
    for wrong in (content, b"QX\x01" + bytes([kind]) + content):
        try:
            frame = decode(wrong)
        except FrameError:
            continue
        assert frame.encode() == wrong


@pytest.mark.requirement("XPDR-1")
@given(claims, st.integers(0, 5), st.sampled_from((float("nan"), float("inf"), 1e10)))
def test_a_claim_without_a_number_is_refused(claim, at, wrong):
    vector = [*claim.position, *claim.velocity]
    vector[at] = wrong
    content = Claim(claim.identity, claim.time, 1, 1, tuple(vector[:3]), tuple(vector[3:])).encode()
    with pytest.raises(FrameError, match="allowed: finite"):
        decode(content)


@pytest.mark.parametrize("identity", ["", "ally-1", "A" * 17, "A B", "Ä", "A\0B"])
def test_an_id_of_other_characters_is_refused(identity):
    with pytest.raises(ValueError, match="allowed: 1 to 16"):
        Claim(identity, 0, 0, 1, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)).encode()
