-- What wrk sends: load.lua <kind> <path> [ids file]; kind is policy or events.
-- BENCH_AUTH is the Authorization header, "" for none.

local thread_count = 0

function setup(thread)
   thread:set("number", thread_count)
   thread_count = thread_count + 1
end

local headers = {}
local path
local ids = {}
local sent = 0
local template
local bulk

local POLICY = "/service/configuration?call_direction=dial_in&protocol=api&bandwidth=0&vendor=Mozilla%2F5.0"
   .. "&encryption=On&registered=False&trigger=web&remote_display_name=Anna+Example&remote_alias=Anna+Example"
   .. "&remote_address=198.51.100.24&remote_port=51544&call_tag=&idp_uuid=&has_authenticated_display_name=False"
   .. "&supports_direct_media=False&teams_tenant_id=&proxy_node_address=&proxy_node_location=&location=Oslo"
   .. "&node_ip=10.10.1.11&version_id=37&pseudo_version_id=80123.0.0&local_alias="

local function next_policy()
   return wrk.format("GET", path .. POLICY .. ids[math.random(#ids)], headers)
end

-- Legs come, change and go: each uuid in turn has a connect, three updates and a disconnect.
local KINDS = { "participant_connected", "participant_updated", "participant_updated",
                "participant_updated", "participant_disconnected" }

local function next_event(base)
   sent = sent + 1
   local kind = KINDS[(sent - 1) % #KINDS + 1]
   local leg = math.floor((sent - 1) / #KINDS) % 4096
   local uuid = string.format("%08x-%04x-4000-8000-%012x", number + 1, leg, base)
   return (template:gsub("@(%u+)@", {
      EVENT = kind, SEQ = tostring(sent), UUID = uuid, NODE = "10.20.0." .. (number + 1),
      MEETING = ids[leg % #ids + 1], TIME = string.format("%.6f", base + sent / 10000) }))
end

local began

local function next_post()
   local body
   if bulk == 1 then
      body = next_event(began)
   else
      local events = {}
      for i = 1, bulk do
         events[i] = next_event(began)
      end
      body = '{"event": "eventsink_bulk", "node": "127.0.0.1", "seq": 0, "version": 2, "time": ' .. began
         .. ', "data": [' .. table.concat(events, ", ") .. "]}"
   end
   return wrk.format("POST", path, headers, body)
end

function init(args)
   local kind = args[1]
   path = args[2]
   for line in io.lines(args[3]) do
      ids[#ids + 1] = line
   end
   if os.getenv("BENCH_AUTH") ~= "" then
      headers["Authorization"] = os.getenv("BENCH_AUTH")
   end
   math.randomseed(os.time() + number)
   if kind == "policy" then
      request = next_policy
   else
      headers["Content-Type"] = "application/json"
      bulk = tonumber(args[5])
      began = os.time()
      sent = 0
      template = io.open(args[4]):read("*a")
      request = next_post
   end
end

function done(summary, latency, requests)
   local errors = summary.errors
   io.write(string.format("RESULT %d %d %d %d %d %d %d %d\n", summary.requests, summary.duration,
      errors.connect + errors.read + errors.write + errors.timeout, errors.status,
      latency:percentile(50), latency:percentile(99), latency.max, summary.bytes))
end
