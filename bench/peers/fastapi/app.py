"""app.py: the routes of apps/bench/app.lua on FastAPI, as its documentation advises: models for what
comes in and what goes out, uvicorn with uvloop and httptools.

What takes microseconds is "async def", which spares it the way through the thread pool; what blocks
is "def", which FastAPI runs there.
"""
import random
import sqlite3
import time
from typing import List, Optional

from fastapi import FastAPI, Query
from fastapi.responses import PlainTextResponse
from pydantic import BaseModel, Field

app = FastAPI()


class Dimensions(BaseModel):
    w: float
    h: float


class Item(BaseModel):
    name: str = Field(min_length=1, max_length=100)
    price: float = Field(ge=0)
    quantity: int = Field(default=1, ge=0)
    tags: List[str] = Field(default=[], max_items=10)
    dimensions: Optional[Dimensions] = None


class NumberedItem(BaseModel):
    id: int
    name: str
    price: float


class User(BaseModel):
    id: int
    name: str
    email: str


@app.get("/plaintext", response_class=PlainTextResponse)
async def plaintext():
    return "Hello, World!"


@app.get("/hello")
async def hello():
    return {"message": "Hello, World!"}


@app.get("/json")
async def nested():
    return {
        "message": "Hello, World!",
        "items": [{"id": i, "value": i * 10} for i in range(1, 21)],
        "nested": {"level1": {"level2": {"level3": "deep"}}},
    }


@app.get("/items/{id}", response_model=NumberedItem)
async def item(id: int):
    return {"id": id, "name": f"Item {id}", "price": id * 1.5}


@app.post("/items", response_model=Item, status_code=201)
async def create(item: Item):
    return item


@app.get("/cpu")
async def cpu():
    total = 0
    for i in range(1, 100001):
        total += i * i
    return {"total": total}


def open_database():
    db = sqlite3.connect(":memory:")
    db.row_factory = sqlite3.Row
    db.execute("create table users (id integer primary key, name text not null, email text not null)")
    rows = [(f"User {i}", f"user{i}@example.com") for i in range(1, 101)]
    db.executemany("insert into users (name, email) values (?, ?)", rows)
    return db


database = open_database()


@app.get("/db", response_model=List[User])
async def users():
    first = random.randint(1, 91)
    rows = database.execute(
        "select id, name, email from users where id between ? and ? order by id", (first, first + 9)
    )
    return [dict(row) for row in rows]


@app.get("/block")
def block(ms: int = Query(default=500, ge=0, le=5000)):
    time.sleep(ms / 1000)
    return {"ms": ms}


@app.get("/spin")
def spin(ms: int = Query(default=500, ge=0, le=5000)):
    end = time.monotonic() + ms / 1000
    while time.monotonic() < end:
        pass
    return {"ms": ms}
