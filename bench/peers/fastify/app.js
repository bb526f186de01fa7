// app.js: the routes of apps/bench/app.lua on Fastify, as its documentation advises: schemas for
// what comes in and what goes out, no logger, one process for each core.
'use strict'
const cluster = require('node:cluster')
const { DatabaseSync } = require('node:sqlite')

const workers = Number(process.env.WORKERS || 1)

const integer = { type: 'integer' }
const number = { type: 'number' }
const string = { type: 'string' }

function object (properties, required = Object.keys(properties)) {
  return { type: 'object', properties, required }
}

const Item = object({
  name: { type: 'string', minLength: 1, maxLength: 100 },
  price: { type: 'number', minimum: 0 },
  quantity: { type: 'integer', minimum: 0, default: 1 },
  tags: { type: 'array', items: string, maxItems: 10, default: [] },
  dimensions: object({ w: number, h: number })
}, ['name', 'price'])
const NumberedItem = object({ id: integer, name: string, price: number })
const User = object({ id: integer, name: string, email: string })
const Message = object({ message: string })
const Nested = object({
  message: string,
  items: { type: 'array', items: object({ id: integer, value: integer }) },
  nested: object({ level1: object({ level2: object({ level3: string }) }) })
})
const Total = object({ total: number })
const Milliseconds = object({ ms: { type: 'integer', minimum: 0, maximum: 5000, default: 500 } }, [])

function answering (schema, status = 200) {
  return { schema: { response: { [status]: schema } } }
}

function addRoutes (app) {
  app.get('/plaintext', (request, reply) => reply.type('text/plain; charset=utf-8')
    .send('Hello, World!'))
  app.get('/hello', answering(Message), async () => ({ message: 'Hello, World!' }))
  app.get('/json', answering(Nested), async () => {
    const items = []
    for (let i = 1; i <= 20; i++) items.push({ id: i, value: i * 10 })
    return { message: 'Hello, World!', items, nested: { level1: { level2: { level3: 'deep' } } } }
  })
  app.get('/cpu', answering(Total), async () => {
    let total = 0
    for (let i = 1; i <= 100000; i++) total += i * i
    return { total }
  })
}

function addItems (app) {
  const one = { params: object({ id: integer }), response: { 200: NumberedItem } }
  app.get('/items/:id', { schema: one }, async (request) => {
    const id = request.params.id
    return { id, name: `Item ${id}`, price: id * 1.5 }
  })
  app.post('/items', { schema: { body: Item, response: { 201: Item } } }, async (request, reply) => {
    reply.code(201)
    return request.body
  })
}

function addDatabase (app) {
  const db = new DatabaseSync(':memory:')
  db.exec('create table users (id integer primary key, name text not null, email text not null)')
  const insert = db.prepare('insert into users (name, email) values (?, ?)')
  for (let i = 1; i <= 100; i++) insert.run(`User ${i}`, `user${i}@example.com`)
  const some = db.prepare('select id, name, email from users where id between ? and ? order by id')
  app.get('/db', answering({ type: 'array', items: User }), async () => {
    const first = 1 + Math.floor(Math.random() * 91)
    return some.all(first, first + 9)
  })
}

function addStalls (app) {
  const cell = new Int32Array(new SharedArrayBuffer(4))
  app.get('/block', { schema: { querystring: Milliseconds } }, async (request) => {
    Atomics.wait(cell, 0, 0, request.query.ms)
    return { ms: request.query.ms }
  })
  app.get('/spin', { schema: { querystring: Milliseconds } }, async (request) => {
    const end = performance.now() + request.query.ms
    while (performance.now() < end);
    return { ms: request.query.ms }
  })
}

function serve () {
  const app = require('fastify')({ logger: false })
  for (const add of [addRoutes, addItems, addDatabase, addStalls]) add(app)
  app.listen({ host: '127.0.0.1', port: Number(process.env.PORT) })
}

if (workers > 1 && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork()
} else {
  serve()
}
