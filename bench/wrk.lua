-- wrk.lua: what wrk sends, and its result as one line that run can read.

-- A body as the only argument makes every request a POST of it.
function init(arguments)
  if arguments[1] then
    wrk.method = "POST"
    wrk.body = arguments[1]
    wrk.headers["Content-Type"] = "application/json"
  end
end

-- result requests µs p50-µs p99-µs errors
function done(summary, latency)
  local errors = summary.errors
  print(("result %d %d %d %d %d"):format(summary.requests, summary.duration,
    latency:percentile(50), latency:percentile(99),
    errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
