-- Each request takes the next line of the file of bodies; at the end one line of JSON: milliseconds, and counts.

local requests, place = {}, 0

function init(arguments)
   wrk.method = "POST"
   wrk.headers["Content-Type"] = "application/json"
   for line in io.lines(arguments[1]) do
      requests[#requests + 1] = wrk.format(nil, nil, nil, line)
   end
end

function request()
   place = place % #requests + 1
   return requests[place]
end

function done(summary, latency, _)
   local errors = summary.errors
   io.write(string.format(
      '\n{"p50": %f, "p99": %f, "per_second": %f, "errors": %d}\n',
      latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.requests / summary.duration * 1e6,
      errors.connect + errors.read + errors.write + errors.status + errors.timeout))
end
