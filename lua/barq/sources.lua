-- sources.lua: in development, tells which files an application is made of, when it comes to them.
--
-- The functions through which Lua reads files are replaced by ones that tell first: also of a file
-- that turns out not to load, for that one above all is going to change.

local function is_read(mode)
  return mode == nil or type(mode) == "string" and mode:sub(1, 1) == "r" and not mode:find "+"
end

---@param loads fun(path: string) is told of what is code
---@param reads fun(path: string) is told of whatever else is opened for reading
return function(loads, reads)
  local find, loadfile, dofile = package.loaders[2], loadfile, dofile
  local open, lines = io.open, io.lines

  local function tell(told, path)
    if type(path) == "string" then told(path) end
  end

  package.loaders[2] = function(name)
    tell(loads, type(name) == "string" and package.searchpath(name, package.path))
    return find(name)
  end

  rawset(_G, "loadfile", function(path, ...)
    tell(loads, path)
    return loadfile(path, ...)
  end)

  rawset(_G, "dofile", function(path)
    tell(loads, path)
    return dofile(path)
  end)

  rawset(io, "open", function(path, mode)
    if is_read(mode) then tell(reads, path) end
    return open(path, mode)
  end)

  rawset(io, "lines", function(path, ...)
    tell(reads, path)
    return lines(path, ...)
  end)
end
