"""A platform where people have pictures generated and pay for them: `python app.py`, then http://127.0.0.1:8010/docs."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from analytics_client import AsyncAnalyticsClient
from analytics_client.asgi import AnalyticsMiddleware
from analytics_client.decorators import AnalyticsEvent, AnalyticsTracker, set_client, track_analytics_event
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel

analytics = AsyncAnalyticsClient()
set_client(analytics)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """At the end, send what is left."""
    yield
    await analytics.close()


app = FastAPI(title="Platform", lifespan=lifespan)
app.add_middleware(AnalyticsMiddleware, client=analytics)


class Generation(BaseModel):
    """What somebody wants to see."""

    user_id: str
    prompt: str
    generation_type: str = "image"


class Payment(BaseModel):
    """Somebody pays."""

    user_id: str
    amount: float
    currency: str = "EUR"


@track_analytics_event(
    event_type=AnalyticsEvent.GENERATION_STARTED,
    event_data_mapper=lambda *args, **kwargs: {
        "generation_type": kwargs.get("generation_type", "unknown"),
        "prompt_length": len(kwargs.get("prompt", "")),
    },
    include_user=True,
    completed=AnalyticsEvent.GENERATION_COMPLETED,
    failed=AnalyticsEvent.GENERATION_FAILED,
    result_mapper=lambda result: {"result_id": result["id"]},
)
async def generate_content(*, user_id: str, prompt: str, generation_type: str) -> dict[str, Any]:
    """The picture of a prompt. Raises ValueError for an empty one."""
    if not prompt:
        raise ValueError("the prompt is empty")
    return {"id": str(uuid.uuid4()), "text": prompt[::-1], "type": generation_type}


@app.post("/generations")
async def generations(wish: Generation) -> dict[str, Any]:
    """Generate."""
    try:
        return await generate_content(
            user_id=wish.user_id, prompt=wish.prompt, generation_type=wish.generation_type
        )
    except ValueError as error:
        raise HTTPException(400, str(error)) from None


@app.post("/payments")
async def payments(payment: Payment) -> dict[str, str]:
    """Pay. With a database session, hand it to the tracker: then the event is there if and only if the payment is."""
    tracker = AnalyticsTracker(analytics)
    payment_id = str(uuid.uuid4())
    await tracker.track_payment(
        payment.user_id, payment.amount, payment.currency, "initiated", payment_id=payment_id
    )
    if payment.amount <= 0:
        await tracker.track_payment(
            payment.user_id, payment.amount, payment.currency, "failed", payment_id=payment_id
        )
        raise HTTPException(402, "The card was refused.")
    await tracker.track_payment(
        payment.user_id, payment.amount, payment.currency, "completed", payment_id=payment_id
    )
    return {"payment_id": payment_id}


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8010")))
