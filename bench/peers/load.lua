-- What wrk sends, and what it tells at the end. A Jinja template; the request is fixed, so no Lua runs per request.
wrk.method = "{{ method }}"
{%- for name, value in headers %}
wrk.headers["{{ name }}"] = "{{ value }}"
{%- endfor %}
{%- if body %}
wrk.body = [==[{{ body }}]==]
{%- endif %}

function done(summary, latency, requests)
    local e = summary.errors
    io.write(string.format('\n{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}\n', summary.requests, summary.duration,
        latency:percentile(50), latency:percentile(99), e.connect + e.read + e.write + e.timeout + e.status))
end
