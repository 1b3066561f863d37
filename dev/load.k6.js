// What `make load` sends, for those who use k6 (https://k6.io): signed transcriptions at a constant arrival rate.
//
//   set -a; . .local/env; set +a; k6 run -e RATE=20 -e SECONDS=60 dev/load.k6.js
//
// They belong to no call: each is stored as a conversation that nobody placed, `conv_k6_…`. Whether all are in PostgreSQL
// only `make load` looks; by hand: select count(*) from conversations where conversation_id like 'conv_k6_%'.
import { check } from "k6";
import crypto from "k6/crypto";
import exec from "k6/execution";
import http from "k6/http";

const rate = Number(__ENV.RATE || 10);
const secret = (__ENV.ELEVENLABS_WEBHOOK_SECRET || "").split(",")[0].trim();
const url = `${(__ENV.URL || __ENV.BASE_URL || "").replace(/\/+$/, "")}/api/webhooks/elevenlabs`;
const TURN = "Thank you for asking. The appointment is on Tuesday at half past ten; please bring the letter with you. ".repeat(2);

export const options = {
  scenarios: {
    webhooks: {
      executor: "constant-arrival-rate",
      rate: Math.round(rate * 60),
      timeUnit: "1m",
      duration: `${__ENV.SECONDS || 20}s`,
      preAllocatedVUs: Math.ceil(rate * 2),
      // So many may wait for an answer of 30 s at once. What k6 could not send at its time it reports as dropped.
      maxVUs: Math.ceil(rate * 30),
    },
  },
  summaryTrendStats: ["med", "p(95)", "p(99)", "max"],
  thresholds: { checks: ["rate==1"], dropped_iterations: ["count==0"] },
};

export function setup() {
  if (!secret || !/^https?:/.test(url)) {
    throw new Error("ELEVENLABS_WEBHOOK_SECRET and BASE_URL (or URL) must be set: they stand in .local/env");
  }
  return { run: Date.now().toString(36) };
}

function transcription(conversation, now) {
  const turn = (at) => ({ role: at % 2 ? "user" : "agent", message: TURN, time_in_call_secs: at });
  return JSON.stringify({
    type: "post_call_transcription",
    event_timestamp: now,
    data: {
      agent_id: "agent_k6",
      conversation_id: conversation,
      status: "done",
      transcript: Array.from({ length: 75 }, (_, at) => turn(at)),
      metadata: { start_time_unix_secs: now - 12, call_duration_secs: 12 },
      analysis: { call_successful: "success", transcript_summary: "A test of the load." },
    },
  });
}

export default function ({ run }) {
  const now = Math.floor(Date.now() / 1000);
  const body = transcription(`conv_k6_${run}_${exec.scenario.iterationInTest}`, now);
  const signature = crypto.hmac("sha256", secret, `${now}.${body}`, "hex");
  const headers = { "content-type": "application/json", "elevenlabs-signature": `t=${now},v0=${signature}` };
  const answer = http.post(url, body, { headers, timeout: "30s" });
  check(answer, { accepted: ({ status }) => status >= 200 && status < 300 });
}
