// app.js: the routes of apps/bench/app.lua on Elysia and Bun, as its documentation advises: schemas
// for what comes in and what goes out, compiled to one executable, one process for each core.
import cluster from 'node:cluster'
import { Database } from 'bun:sqlite'
import { dlopen, FFIType } from 'bun:ffi'
import { Elysia, t } from 'elysia'

const workers = Number(process.env.WORKERS || 1)

const Item = t.Object({
  name: t.String({ minLength: 1, maxLength: 100 }),
  price: t.Number({ minimum: 0 }),
  quantity: t.Integer({ minimum: 0, default: 1 }),
  tags: t.Array(t.String(), { maxItems: 10, default: [] }),
  dimensions: t.Optional(t.Object({ w: t.Number(), h: t.Number() }))
})
const NumberedItem = t.Object({ id: t.Integer(), name: t.String(), price: t.Number() })
const User = t.Object({ id: t.Integer(), name: t.String(), email: t.String() })
const Milliseconds = t.Object({ ms: t.Integer({ minimum: 0, maximum: 5000, default: 500 }) })

function addRoutes (app) {
  app.get('/plaintext', () => 'Hello, World!')
  app.get('/hello', () => ({ message: 'Hello, World!' }))
  app.get('/json', () => {
    const items = []
    for (let i = 1; i <= 20; i++) items.push({ id: i, value: i * 10 })
    return { message: 'Hello, World!', items, nested: { level1: { level2: { level3: 'deep' } } } }
  })
  app.get('/cpu', () => {
    let total = 0
    for (let i = 1; i <= 100000; i++) total += i * i
    return { total }
  })
}

function addItems (app) {
  app.get('/items/:id', ({ params: { id } }) => ({ id, name: `Item ${id}`, price: id * 1.5 }),
    { params: t.Object({ id: t.Integer() }), response: NumberedItem })
  app.post('/items', ({ body, set }) => {
    set.status = 201
    return body
  }, { body: Item, response: { 201: Item } })
}

function addDatabase (app) {
  const db = new Database(':memory:')
  db.run('create table users (id integer primary key, name text not null, email text not null)')
  const insert = db.query('insert into users (name, email) values (?, ?)')
  for (let i = 1; i <= 100; i++) insert.run(`User ${i}`, `user${i}@example.com`)
  const some = db.query('select id, name, email from users where id between ? and ? order by id')
  app.get('/db', () => {
    const first = 1 + Math.floor(Math.random() * 91)
    return some.all(first, first + 9)
  }, { response: t.Array(User) })
}

function addStalls (app) {
  const libc = dlopen('libc.so.6', { usleep: { args: [FFIType.u32], returns: FFIType.i32 } })
  app.get('/block', ({ query: { ms } }) => {
    libc.symbols.usleep(ms * 1000)
    return { ms }
  }, { query: Milliseconds })
  app.get('/spin', ({ query: { ms } }) => {
    const end = performance.now() + ms
    while (performance.now() < end);
    return { ms }
  }, { query: Milliseconds })
}

function serve () {
  const app = new Elysia()
  for (const add of [addRoutes, addItems, addDatabase, addStalls]) add(app)
  app.listen({ hostname: '127.0.0.1', port: Number(process.env.PORT), reusePort: true })
}

if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork()
} else {
  serve()
}
