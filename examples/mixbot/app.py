"""Feedback on a mix: `streamlit run app.py`."""

from __future__ import annotations

import time
import uuid
from typing import Any

import streamlit as st
from analytics_client import AnalyticsClient


@st.cache_resource
def client() -> AnalyticsClient:
    """One for all sessions and reruns."""
    return AnalyticsClient()


def track(action: str, details: dict[str, Any] | None = None) -> None:
    """Note what this session does."""
    client().track_action(st.session_state.session_id, None, action, details)


def once(action: str, value: str) -> None:
    """Streamlit runs the script again at every click: note a choice only when it has changed."""
    if st.session_state.get(action) != value:
        st.session_state[action] = value
        track(action, {"value": value})


if "session_id" not in st.session_state:
    st.session_state.session_id = str(uuid.uuid4())
    client().page("/", title="Mixbot", session_id=st.session_state.session_id)

st.title("Mixbot")
once("daw_selected", st.selectbox("Your DAW", ["Ableton Live", "Logic Pro", "Reaper"]))
once("genre_detected", st.selectbox("Genre", ["House", "Rock", "Jazz"]))
loudness = st.slider("Loudness of the mix (LUFS)", -30, 0, -14)
if st.button("Analyse"):
    began = time.perf_counter()
    feedback = "Turn it down." if loudness > -9 else "Sounds good."
    track("analysis_completed", {"seconds": time.perf_counter() - began, "success": True})
    st.write(feedback)
    if st.download_button("Download the feedback", feedback, on_click="ignore"):
        track("feedback_downloaded")
