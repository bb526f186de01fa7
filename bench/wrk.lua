-- wrk.lua: what wrk sends, and its result as one line that run and compare can read.

-- Arguments: a body, which makes every request a POST of it (or ""), and how many requests are
-- pipelined.
function init(arguments)
  local body, pipelined = arguments[1], tonumber(arguments[2]) or 1
  if body and body ~= "" then
    wrk.method = "POST"
    wrk.body = body
    wrk.headers["Content-Type"] = "application/json"
  end
  if pipelined > 1 then
    local batch = wrk.format():rep(pipelined)
    request = function() return batch end
  end
end

-- result requests µs p50-µs p99-µs errors
function done(summary, latency)
  local errors = summary.errors
  print(("result %d %d %d %d %d"):format(summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
