-- What wrk sends, and what it tells at the end. A Jinja template; every request is a payment of its own, to an account of its own:
-- @ in the body is its number. An answer of another status than expected is an error.
local number = 0
local body = [==[{{ body }}]==]
wrong = 0

{% for name, value in headers -%}
wrk.headers["{{ name }}"] = "{{ value }}"
{% endfor %}
local threads = {}
function setup(thread)
    threads[#threads + 1] = thread
end

function request()
    number = number + 1
    local own = "{{ run }}n" .. number
    wrk.headers["Idempotency-Key"] = own
    return wrk.format("POST", nil, nil, (body:gsub("@", own)))
end

function response(status)
    if status ~= {{ expected }} then wrong = wrong + 1 end
end

function done(summary, latency, requests)
    local e = summary.errors
    local errors = e.connect + e.read + e.write + e.timeout
    for _, thread in ipairs(threads) do errors = errors + thread:get("wrong") end
    io.write(string.format('\n{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\n', summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), errors))
end
