--[[
relume in darktable: relight what you export, and have the result beside the original.

Put this file into ~/.config/darktable/lua/ and add the line  require "relume"  to ~/.config/darktable/luarc.
Then choose "relume" as the target storage of the export module. Each picture is exported as darktable develops it, relit by
the command relume, and imported again, grouped with the picture it came from.

Preferences (in darktable's settings, Lua options): the command (with its path, if it is not in PATH), and options of
"relume enhance", as in  --brightness 0.3
--]]
local dt = require "darktable"

local MODULE = "relume"

dt.preferences.register(MODULE, "command", "string", "relume: command", "the command, with its path", "relume")
dt.preferences.register(MODULE, "options", "string", "relume: options", "options of relume enhance", "")

local function quoted(text)
  if dt.configuration.running_os == "windows" then
    return '"' .. text .. '"'
  end
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

-- The name of the result: beside the original, in a name that is free.
local function target(image, exported)
  local stem = image.path .. "/" .. image.filename:gsub("%.[^.]*$", "") .. ".relume"
  local ending = exported:match("%.[^.]*$")
  local name, number = stem .. ending, 1
  while true do
    local taken = io.open(name, "r")
    if taken == nil then
      return name
    end
    taken:close()
    name, number = stem .. "-" .. number .. ending, number + 1
  end
end

-- Relights the file `exported` of `image`; the new image, or nil and what went wrong.
local function relight(image, exported)
  local result = target(image, exported)
  local command = dt.preferences.read(MODULE, "command", "string")
  local options = dt.preferences.read(MODULE, "options", "string")
  local code = dt.control.execute(table.concat({
    quoted(command), "enhance", quoted(exported), "-o", quoted(result), "--quiet", options,
  }, " "))
  os.remove(exported)
  if code ~= 0 then
    return nil, "relume failed on " .. image.filename .. " (exit code " .. tostring(code) .. "); start darktable from a terminal to see why"
  end
  local relit = dt.database.import(result)
  relit:group_with(image.group_leader)
  return relit
end

local function store(_, image, _, exported, number, total)
  dt.print("relume: " .. number .. " of " .. total)
  local _, problem = relight(image, exported)
  if problem then
    dt.print_error(problem)
    dt.print(problem)
  end
end

dt.register_storage(MODULE, "relume", store)

return { relight = relight }
