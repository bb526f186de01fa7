-- app.lua: what {{name}} answers.
local barq = require "barq"
local t = barq.t

barq.info { title = "{{name}}", version = "0.1.0" }

local Note = barq.schema("Note", {
  text = t.string { min = 1, max = 280, description = "what to remember" },
  done = t.boolean { default = false },
})
local StoredNote = Note:extend("StoredNote", { id = t.integer })

-- Opened once in each worker; all of them see the same store.
local notes = barq.depends {
  scope = "worker",
  open = function() return barq.shared("notes") end,
}

barq.get("/", function()
  return { message = "Hello from {{name}}!" }
end)

--- Keeps a note under a new id.
barq.post("/notes", {
  name = "create_note",
  body = Note,
  depends = { notes = notes },
  returns = StoredNote,
  status = 201,
}, function(req, deps)
  local note = req.body
  note.id = deps.notes:incr("last_id")
  deps.notes:set(note.id, note)
  return note
end)

--- One note.
barq.get("/notes/{id}", {
  name = "get_note",
  params = { id = t.integer },
  depends = { notes = notes },
  returns = StoredNote,
}, function(req, deps)
  return deps.notes:get(req.params.id) or barq.abort(404, "no such note")
end)
