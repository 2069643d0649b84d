#include "relay/openapi.h"

namespace sallyport::relay {

const std::string_view kOpenApiDocument = R"json({
  "openapi": "3.1.0",
  "info": {
    "title": "Sallyport relay administration",
    "version": "1",
    "description": "Agents, routes and the state of one relay. Served over HTTP/1.1 on the Unix socket admin.sock in the relay's state folder; whoever may open the socket may do everything. A change is on disk before its answer."
  },
  "servers": [{"url": "/api/v1"}],
  "paths": {
    "/status": {
      "get": {"operationId": "showStatus", "summary": "The relay itself: version, identity pin, listeners, counts, warnings",
        "responses": {"200": {"description": "status", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Status"}}}}}}
    },
    "/audit": {
      "get": {"operationId": "listAudit", "summary": "The last 200 changes, newest first",
        "responses": {"200": {"description": "changes", "content": {"application/json": {"schema": {"type": "object", "required": ["audit"],
          "properties": {"audit": {"type": "array", "items": {"$ref": "#/components/schemas/AuditEntry"}}}}}}}}}
    },
    "/reload": {
      "post": {"operationId": "reload", "summary": "Reads configuration and certificates anew; on an error the old ones stay",
        "responses": {"200": {"description": "done; notes name what changes only at the next start", "content": {"application/json": {"schema": {"type": "object",
            "properties": {"reloaded": {"const": true}, "notes": {"type": "array", "items": {"type": "string"}}}}}}},
          "422": {"$ref": "#/components/responses/Error"}}}
    },
    "/upgrade": {
      "post": {"operationId": "upgrade", "summary": "Replaces the running relay by the program that is installed now, without a request lost; on an error it goes on as before",
        "responses": {"200": {"description": "the new process accepts, the old one drains", "content": {"application/json": {"schema": {"type": "object",
            "properties": {"pid": {"type": "integer"}, "version": {"type": "string"}, "steps": {"type": "array", "items": {"type": "object",
              "properties": {"at_ms": {"type": "integer"}, "text": {"type": "string"}}}}}}}}},
          "409": {"$ref": "#/components/responses/Error"}, "500": {"$ref": "#/components/responses/Error"}}}
    },
    "/backup": {
      "post": {"operationId": "backup", "summary": "Everything a new server needs, as one file. It holds private keys",
        "responses": {"200": {"description": "the file", "content": {"application/octet-stream": {}}},
          "507": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents": {
      "get": {"operationId": "listAgents", "summary": "All agents, by name",
        "responses": {"200": {"description": "agents", "content": {"application/json": {"schema": {"type": "object", "required": ["agents"],
          "properties": {"agents": {"type": "array", "items": {"$ref": "#/components/schemas/Agent"}}}}}}}}},
      "post": {"operationId": "addAgent", "summary": "Adds an agent and issues its first credential, shown this once",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewAgent"}}}},
        "responses": {"201": {"description": "added", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentWithSecret"}}}},
          "409": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents/{name}": {
      "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {"operationId": "showAgent", "summary": "One agent with its routes and credentials",
        "responses": {"200": {"description": "the agent", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}}},
      "patch": {"operationId": "changeAgent", "summary": "Enables, disables or limits; a disabled agent's tunnel is cut",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "additionalProperties": false,
          "properties": {"enabled": {"type": "boolean"}, "concurrency_limit": {"type": "integer", "minimum": 1, "maximum": 1000000}}}}}},
        "responses": {"200": {"description": "the agent", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}},
      "delete": {"operationId": "removeAgent", "summary": "Removes the agent, its credentials and routes; its tunnel is cut",
        "responses": {"200": {"description": "removed"}, "404": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents/{name}/rotate": {
      "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}],
      "post": {"operationId": "rotateAgent", "summary": "Issues a new credential and revokes every other one of the agent, which cuts its tunnel: at once, or after keep_old",
        "requestBody": {"content": {"application/json": {"schema": {"type": "object", "additionalProperties": false,
          "properties": {"credential": {"$ref": "#/components/schemas/CredentialKind"},
            "keep_old": {"type": ["string", "null"], "description": "how long the old credential works beside the new one, like 1h; at most 720h. Codes nobody has used yet go at once"}}}}}},
        "responses": {"200": {"description": "the new credential", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentWithSecret"}}}},
          "404": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents/{name}/keys": {
      "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}],
      "post": {"operationId": "addKeys", "summary": "Enrols further SSH keys; the agent's other credentials stay. Those in front of one that is refused are enrolled",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"type": "object", "required": ["ssh_keys"], "additionalProperties": false,
          "properties": {"ssh_keys": {"$ref": "#/components/schemas/SshKeys"}}}}}},
        "responses": {"200": {"description": "the agent", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "409": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents/{name}/credentials/{id}": {
      "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}},
        {"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "delete": {"operationId": "revokeCredential", "summary": "Revokes one credential of the agent; a tunnel that stands on it is cut",
        "responses": {"200": {"description": "the agent", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}}}
    },
    "/agents/{name}/takeover": {
      "parameters": [{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}],
      "post": {"operationId": "takeOverAgent", "summary": "Decides for the process that was refused (refused_newcomer of the tunnel): its next attempt takes the place of the connected one",
        "responses": {"202": {"description": "decided; the tunnel's session changes when the other one has come", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/AgentAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "409": {"$ref": "#/components/responses/Error"}}}
    },
    "/routes": {
      "get": {"operationId": "listRoutes", "summary": "All routes, by hostname and prefix",
        "responses": {"200": {"description": "routes", "content": {"application/json": {"schema": {"type": "object", "required": ["routes"],
          "properties": {"routes": {"type": "array", "items": {"$ref": "#/components/schemas/Route"}}}}}}}}},
      "post": {"operationId": "addRoute", "summary": "Adds a route",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewRoute"}}}},
        "responses": {"201": {"description": "added", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RouteAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "409": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}}
    },
    "/routes/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "get": {"operationId": "showRoute", "summary": "One route",
        "responses": {"200": {"description": "the route", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RouteAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}}},
      "patch": {"operationId": "changeRoute", "summary": "Changes what is given; hostname and path_prefix stay",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RouteSettings"}}}},
        "responses": {"200": {"description": "the route", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/RouteAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}},
      "delete": {"operationId": "removeRoute", "summary": "Removes the route",
        "responses": {"200": {"description": "removed"}, "404": {"$ref": "#/components/responses/Error"}}}
    },
    "/tcp-routes": {
      "get": {"operationId": "listTcpRoutes", "summary": "All TCP routes, by where they listen",
        "responses": {"200": {"description": "TCP routes", "content": {"application/json": {"schema": {"type": "object", "required": ["tcp_routes"],
          "properties": {"tcp_routes": {"type": "array", "items": {"$ref": "#/components/schemas/TcpRoute"}}}}}}}}},
      "post": {"operationId": "addTcpRoute", "summary": "Leads a public port to an agent's target",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/NewTcpRoute"}}}},
        "responses": {"201": {"description": "added", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TcpRouteAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "409": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}}
    },
    "/tcp-routes/{id}": {
      "parameters": [{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}],
      "patch": {"operationId": "changeTcpRoute", "summary": "Changes what is given; listen stays",
        "requestBody": {"required": true, "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TcpRouteSettings"}}}},
        "responses": {"200": {"description": "the route", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/TcpRouteAnswer"}}}},
          "404": {"$ref": "#/components/responses/Error"}, "422": {"$ref": "#/components/responses/Error"}}},
      "delete": {"operationId": "removeTcpRoute", "summary": "Removes the route and cuts its connections",
        "responses": {"200": {"description": "removed"}, "404": {"$ref": "#/components/responses/Error"}}}
    },
    "/bans": {
      "get": {"operationId": "listBans", "summary": "Who may not log in at the moment",
        "responses": {"200": {"description": "bans", "content": {"application/json": {"schema": {"type": "object", "required": ["bans"],
          "properties": {"bans": {"type": "array", "items": {"$ref": "#/components/schemas/Ban"}}}}}}}}}
    },
    "/bans/{address}": {
      "parameters": [{"name": "address", "in": "path", "required": true, "schema": {"type": "string"}, "description": "IPv4, or any address of an IPv6 /64"}],
      "delete": {"operationId": "liftBan", "summary": "Ends all bans of an address and forgets what it has done",
        "responses": {"200": {"description": "how many bans that ended", "content": {"application/json": {"schema": {"type": "object", "required": ["lifted"],
          "properties": {"lifted": {"type": "integer"}}}}}}, "422": {"$ref": "#/components/responses/Error"}}}
    }
  },
  "components": {
    "responses": {
      "Error": {"description": "what was wrong", "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}}
    },
    "schemas": {
      "Error": {"type": "object", "required": ["error"], "properties": {"error": {"type": "object", "required": ["status", "reason", "detail"],
        "properties": {"status": {"type": "integer"}, "reason": {"type": "string", "description": "stable, in snake_case"},
          "field": {"type": "string", "description": "the member of the request that is wrong"}, "detail": {"type": "string"}}}}},
      "Ban": {"type": "object", "required": ["address", "kind", "left_s"], "properties": {
        "address": {"type": "string", "description": "IPv4, or an IPv6 /64"},
        "agent": {"type": ["string", "null"], "description": "at which home; null: all of them"},
        "kind": {"enum": ["password", "login", "websocket", "unknown_host", "ssh"], "description": "of the last failure"},
        "cross_site": {"type": "boolean", "description": "only of requests that browsers make for pages of other sites"},
        "times": {"type": "integer", "description": "bans in a row"}, "left_s": {"type": "integer"}}},
      "CredentialKind": {"enum": ["enrolment", "token", "device"], "default": "enrolment"},
      "Target": {"type": "object", "required": ["name", "url"], "additionalProperties": false,
        "properties": {"name": {"type": "string", "pattern": "^[a-z0-9._-]{1,64}$"}, "url": {"type": "string", "description": "scheme://host:port"}}},
      "NewAgent": {"type": "object", "required": ["name"], "additionalProperties": false, "properties": {
        "name": {"type": "string", "description": "one DNS label"},
        "hostnames": {"type": "array", "items": {"type": "string"}, "description": "a route for each; without it NAME.base_domain, if the relay has a base_domain"},
        "targets": {"type": "array", "maxItems": 16, "items": {"$ref": "#/components/schemas/Target"}, "description": "proposed to the agent by the enrolment code; the first is where the routes lead"},
        "credential": {"$ref": "#/components/schemas/CredentialKind"},
        "public_key": {"type": "string", "description": "the agent's Ed25519 key, as it prints it: enrolled at once, no code is issued"},
        "ssh_keys": {"$ref": "#/components/schemas/SshKeys"},
        "concurrency_limit": {"type": "integer", "minimum": 1, "maximum": 1000000}}},
      "SshKeys": {"type": "array", "items": {"type": "string"}, "description": "lines of authorized_keys: enrolled at once, no code is issued. Ed25519, ECDSA, RSA of 3072 bits and more, sk-*; from=, permitlisten= and expiry-time= hold, what can't be honoured is refused"},
      "Agent": {"type": "object", "properties": {
        "id": {"type": "string"}, "name": {"type": "string"}, "enabled": {"type": "boolean"}, "online": {"type": "boolean"},
        "created_at": {"type": "string", "format": "date-time"}, "last_seen_at": {"type": ["string", "null"], "format": "date-time"},
        "concurrency_limit": {"type": ["integer", "null"]},
        "proposed_targets": {"type": "array", "items": {"$ref": "#/components/schemas/Target"}},
        "routes": {"type": "array", "items": {"$ref": "#/components/schemas/Route"}},
        "credentials": {"type": "array", "items": {"$ref": "#/components/schemas/Credential"}, "description": "of one agent only"},
        "tunnel": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/Tunnel"}]}}},
      "Tunnel": {"type": "object", "properties": {
        "session": {"type": "string", "description": "another one with each tunnel"},
        "peer": {"type": "string"}, "version": {"type": "string"}, "connected_at": {"type": "string", "format": "date-time"},
        "round_trip_ms": {"type": "number"}, "open_streams": {"type": "integer"}, "requests_in_flight": {"type": "integer"},
        "concurrency_limit": {"type": "integer"}, "request_timeout": {"type": "string"},
        "targets": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "home_assistant": {"type": "boolean"},
          "forwarded_for": {"enum": ["unknown", "accepted", "refused"]}, "trusted_networks": {"type": "boolean"}}}},
        "refused_newcomer": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/RefusedNewcomer"}]}}},
      "RefusedNewcomer": {"type": "object", "description": "another process with a credential of this agent, refused in the last 10 minutes", "properties": {
        "peer": {"type": "string"}, "first_refused_at": {"type": "string", "format": "date-time"}, "last_refused_at": {"type": "string", "format": "date-time"},
        "attempts": {"type": "integer"}, "takes_over": {"type": "boolean", "description": "the owner has decided for it"}}},
      "Credential": {"type": "object", "properties": {
        "id": {"type": "string"}, "kind": {"enum": ["ed25519", "enrolment", "token", "device", "ssh_key"]}, "public_key": {"type": ["string", "null"]},
        "fingerprint": {"type": ["string", "null"], "description": "SHA256:…, of ssh_key and ed25519"}, "ssh_key": {"type": ["string", "null"], "description": "its line of authorized_keys"},
        "created_at": {"type": "string"}, "expires_at": {"type": ["string", "null"]}, "used_at": {"type": ["string", "null"]}, "revoked": {"type": "boolean"},
        "retires_at": {"type": ["string", "null"], "format": "date-time", "description": "replaced by a newer one; works until then"}}},
      "AgentAnswer": {"type": "object", "required": ["agent"], "properties": {"agent": {"$ref": "#/components/schemas/Agent"}}},
      "AgentWithSecret": {"type": "object", "required": ["agent"], "properties": {"agent": {"$ref": "#/components/schemas/Agent"},
        "enroll": {"type": "string", "description": "the enrolment code"}, "expires_at": {"type": "string", "format": "date-time"},
        "api_key": {"type": "string"}, "device_id": {"type": "string"}, "secret": {"type": "string"},
        "ssh": {"$ref": "#/components/schemas/SshAccess"}}},
      "SshAccess": {"type": "object", "description": "with ssh_keys: how to connect", "properties": {"host": {"type": "string"}, "port": {"type": "integer"},
        "fingerprint": {"type": "string"}, "known_hosts": {"type": "string"}, "command": {"type": "string"}}},
      "RouteSettings": {"type": "object", "additionalProperties": false, "properties": {
        "agent": {"type": "string", "description": "its name"}, "target": {"type": "string"}, "enabled": {"type": "boolean", "default": true},
        "strip_prefix": {"type": "boolean", "default": false}, "preserve_host": {"type": "boolean", "default": true},
        "forward_client_ip": {"enum": ["auto", "always", "never"], "default": "auto"},
        "request_timeout": {"type": ["string", "null"], "description": "like 30s; null: the agent's own"},
        "policy": {"$ref": "#/components/schemas/RoutePolicy"},
        "health_path": {"type": ["string", "null"], "description": "what a probe asks the service for, like /manifest.json; null: it only connects"}}},
      "NewRoute": {"type": "object", "required": ["hostname", "agent"], "additionalProperties": false, "properties": {
        "hostname": {"type": "string", "description": "home.example.org, or *.example.org for one label in front"},
        "path_prefix": {"type": "string", "default": "/"},
        "agent": {"type": "string", "description": "its name"}, "target": {"type": "string", "description": "default: the agent's first proposed target, else homeassistant"},
        "enabled": {"type": "boolean"}, "strip_prefix": {"type": "boolean"}, "preserve_host": {"type": "boolean"},
        "forward_client_ip": {"enum": ["auto", "always", "never"]}, "request_timeout": {"type": ["string", "null"]}, "health_path": {"type": ["string", "null"]},
        "policy": {"$ref": "#/components/schemas/RoutePolicy"}}},
      "RoutePolicy": {"type": ["object", "null"], "additionalProperties": false, "description": "see docs/routes.md; in a change each member replaces the stored one, null takes it out; null for all of it takes back all", "properties": {
        "preset": {"enum": ["home-assistant", "home-assistant-restricted", null]},
        "allow_ips": {"$ref": "#/components/schemas/Texts"}, "deny_ips": {"$ref": "#/components/schemas/Texts"},
        "allow_paths": {"$ref": "#/components/schemas/Texts"}, "deny_paths": {"$ref": "#/components/schemas/Texts"},
        "basic_auth": {"type": ["object", "array", "null"], "additionalProperties": {"type": "string"}, "description": "given: users, each with a bcrypt or yescrypt hash; shown: the names alone"},
        "basic_auth_bearer": {"enum": ["refuse", "pass", null]}, "basic_auth_open_paths": {"$ref": "#/components/schemas/Texts"},
        "max_body": {"type": ["integer", "string", "null"], "description": "octets, or like 100MiB"},
        "idle_timeout": {"type": ["string", "null"], "description": "of upgraded streams, like 30m; at least 10m"},
        "set_request_fields": {"$ref": "#/components/schemas/Texts"}, "remove_request_fields": {"$ref": "#/components/schemas/Texts"},
        "set_response_fields": {"$ref": "#/components/schemas/Texts"}, "remove_response_fields": {"$ref": "#/components/schemas/Texts"},
        "maintenance": {"type": ["boolean", "null"]}, "maintenance_text": {"type": ["string", "null"]}, "maintenance_retry_after": {"type": ["string", "null"]}}},
      "TcpRouteSettings": {"type": "object", "additionalProperties": false, "properties": {
        "agent": {"type": "string", "description": "its name"}, "target": {"type": "string"}, "enabled": {"type": "boolean"},
        "tls": {"type": "boolean", "description": "TLS ends at the relay"}, "proxy_protocol": {"type": "boolean", "description": "the target is sent a PROXY header, version 2"},
        "allow": {"$ref": "#/components/schemas/Texts"}}},
      "NewTcpRoute": {"type": "object", "required": ["listen", "agent", "target"], "additionalProperties": false, "properties": {
        "listen": {"type": "string", "description": ":1883, 127.0.0.1:1883 or [::1]:1883"},
        "agent": {"type": "string", "description": "its name"}, "target": {"type": "string"}, "enabled": {"type": "boolean", "default": true},
        "tls": {"type": "boolean", "default": false}, "proxy_protocol": {"type": "boolean", "default": false},
        "allow": {"$ref": "#/components/schemas/Texts"}}},
      "TcpRoute": {"type": "object", "properties": {
        "id": {"type": "string"}, "listen": {"type": "string"}, "address": {"type": ["string", "null"], "description": "where it listens really"},
        "error": {"type": ["string", "null"], "description": "why it doesn't"}, "agent": {"type": "string"}, "target": {"type": "string"}, "enabled": {"type": "boolean"},
        "tls": {"type": "boolean"}, "proxy_protocol": {"type": "boolean"}, "allow": {"$ref": "#/components/schemas/Texts"},
        "health": {"type": ["object", "null"], "description": "as of a Route"}, "created_at": {"type": "string", "format": "date-time"}}},
      "TcpRouteAnswer": {"type": "object", "required": ["tcp_route"], "properties": {"tcp_route": {"$ref": "#/components/schemas/TcpRoute"}}},
      "Texts": {"type": ["array", "null"], "items": {"type": "string"}},
      "Route": {"type": "object", "properties": {
        "id": {"type": "string"}, "url": {"type": "string"}, "hostname": {"type": "string"}, "path_prefix": {"type": "string"},
        "agent": {"type": "string"}, "target": {"type": "string"}, "enabled": {"type": "boolean"}, "strip_prefix": {"type": "boolean"},
        "preserve_host": {"type": "boolean"}, "forward_client_ip": {"enum": ["auto", "always", "never"]},
        "request_timeout": {"type": ["string", "null"]}, "health_path": {"type": ["string", "null"]}, "created_at": {"type": "string", "format": "date-time"},
        "policy": {"$ref": "#/components/schemas/RoutePolicy"},
        "health": {"oneOf": [{"type": "null"}, {"$ref": "#/components/schemas/RouteHealth"}], "description": "null: the route is disabled"}}},
      "RouteHealth": {"type": "object", "properties": {
        "state": {"enum": ["healthy", "unhealthy", "unknown"]}, "hop": {"enum": ["relay", "agent", "target", null], "description": "what fails first"},
        "cause": {"type": ["string", "null"], "description": "stable, in snake_case: target_refused, target_timeout, agent_offline, …"},
        "detail": {"type": ["string", "null"]}, "since": {"type": ["string", "null"], "format": "date-time"},
        "probed_at": {"type": ["string", "null"], "format": "date-time"}, "took_ms": {"type": ["integer", "null"]}}},
      "RouteAnswer": {"type": "object", "required": ["route"], "properties": {"route": {"$ref": "#/components/schemas/Route"}}},
      "AuditEntry": {"type": "object", "properties": {"at": {"type": "string", "format": "date-time"}, "actor": {"type": "string"},
        "action": {"type": "string"}, "subject": {"type": "string"}, "detail": {"type": "string"}}},
      "Status": {"type": "object", "properties": {
        "version": {"type": "string"}, "pin": {"type": "string"}, "public_url": {"type": "string"}, "base_domain": {"type": "string"},
        "state_dir": {"type": "string"}, "started_at": {"type": "string", "format": "date-time"}, "uptime_s": {"type": "integer"},
        "loops": {"type": "integer"}, "open_connections": {"type": "integer"}, "routes": {"type": "integer"},
        "health": {"type": "object", "description": "how many enabled routes are in which state", "properties": {"healthy": {"type": "integer"}, "unhealthy": {"type": "integer"}, "unknown": {"type": "integer"}}},
        "agents": {"type": "object", "properties": {"total": {"type": "integer"}, "online": {"type": "integer"}}},
        "process": {"type": "object", "properties": {"pid": {"type": "integer"}, "descriptors_open": {"type": "integer"}, "descriptors_limit": {"type": "integer"}}},
        "listeners": {"type": "array", "items": {"type": "object", "properties": {"name": {"type": "string"}, "address": {"type": "string"}}}},
        "ssh": {"type": "object", "description": "for stock SSH clients", "properties": {"address": {"type": ["string", "null"], "description": "null: nothing listens, why_not says why"},
          "why_not": {"type": ["string", "null"]}, "fingerprint": {"type": "string", "description": "of the relay's host key"}, "known_hosts": {"type": "string", "description": "a line for it"}}},
        "warnings": {"type": "array", "items": {"type": "string"}}}}
    }
  }
}
)json";

}  // namespace sallyport::relay
