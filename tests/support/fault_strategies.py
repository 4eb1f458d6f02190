"""What may go wrong with a request to a provider, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

from tests.support.providers import Fault

FAULTS = st.one_of(
    st.none(),
    st.builds(Fault, st.sampled_from(["reset", "truncate", "html", "garbage", "hang"]), taken=st.booleans()),
    st.builds(
        lambda status, taken, headers: Fault("status", taken=taken, status=status, headers=headers),
        st.sampled_from([500, 502, 504]),
        st.booleans(),
        st.sampled_from([{}, {"Retry-After": "3"}]),
    ),
    st.builds(
        lambda status, headers: Fault("status", status=status, headers=headers),
        st.sampled_from([503, 429, 302, 404, 401]),
        st.sampled_from([{}, {"Retry-After": "3"}]),
    ),
)
