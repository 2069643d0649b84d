-- One line of JSON behind wrk's own text, with the percentiles unrounded (microseconds).
function done(summary, latency, requests)
   local e = summary.errors
   io.write(string.format(
      '{"requests":%d,"seconds":%.6f,"p50":%.1f,"p99":%.1f,"errors":%d}\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50), latency:percentile(99),
      e.connect + e.read + e.write + e.status + e.timeout))
end
