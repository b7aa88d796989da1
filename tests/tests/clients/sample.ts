import type { components, operations, paths } from "./hongbao.js";

const packet: components["schemas"]["NewPacket"] = { room: "family", sender: "alice", total: 1000, shares: 2 };
const call: paths["/v1/packets"]["post"]["parameters"]["header"] = { "Idempotency-Key": "a key" };

type Sent = operations["send"]["responses"][201]["content"]["application/json"];
type Refused = operations["send"]["responses"][422]["content"]["application/problem+json"];

export function told(answer: Sent | Refused): string {
  return "code" in answer ? `${answer.code}: ${answer.detail}` : answer.packet;
}

export function happened(event: components["schemas"]["Event"]): string {
  if ("after" in event) return `missed what came after ${event.after}`;
  if ("text" in event) return `${event.sender}: ${event.text}`;
  return `${event.claimed_shares} of ${event.shares} are taken`;
}

export function grants(tenant: components["schemas"]["TenantView"]): string[] {
  return tenant.grants;
}

export const request = { packet, call };
