//! Agents: their caller ids at SignalWire, their numbers and switches at ElevenLabs.

use serde_json::Value;

use super::{Facts, Finding, name};
use crate::vendors::{INITIATION_PATH, OPT_OUT_PATH, SWITCH, Trouble};

const SETUP: &str = "Run `elevenwire setup`, or see docs/setup.md.";

pub(super) fn check(facts: &Facts<'_>) -> Vec<Finding> {
    let mut findings = vec![caller_ids(facts), exist(facts), initiation_webhook(facts)];
    findings.extend(numbers(facts));
    findings.push(each(facts, "initiation-switch", "asks who calls", |_, told| {
        (told.pointer(SWITCH) != Some(&Value::Bool(true))).then(|| "does not ask who calls".to_owned())
    }));
    let lax = |finding: Finding| match finding.mend {
        Some(mend) => Finding::warns(finding.check, finding.detail, mend),
        None => finding,
    };
    findings.push(lax(opt_out_tool(facts)));
    findings.push(lax(each(facts, "opt-out-field", "collects `opt_out`", |_, told| {
        let fields = &told["platform_settings"]["data_collection"];
        let has = ["opt_out", "do_not_call"].iter().any(|field| !fields[*field].is_null());
        (!has).then(|| "has no data collection field `opt_out`".to_owned())
    })));
    findings.push(lax(each(facts, "agent-tools", "has end_call and voicemail_detection", |_, told| {
        let tools = &told["conversation_config"]["agent"]["prompt"]["built_in_tools"];
        let lacking: Vec<&str> =
            ["end_call", "voicemail_detection"].into_iter().filter(|tool| tools[*tool].is_null()).collect();
        (!lacking.is_empty()).then(|| format!("lacks {}", lacking.join(" and ")))
    })));
    findings
}

/// A check of every agent that ElevenLabs knows.
fn each(
    facts: &Facts<'_>,
    check: &'static str,
    fine: &str,
    wrong: impl Fn(&Value, &Value) -> Option<String>,
) -> Finding {
    match facts.pairs() {
        Err(why) => Finding::skipped(check, why),
        Ok(pairs) => {
            let say = |(agent, told): &(&Value, &Value)| Some(format!("{} {}", name(agent), wrong(agent, told)?));
            let wrong: Vec<String> = pairs.iter().filter_map(say).collect();
            Finding::of(check, &wrong, format!("each agent {fine}"), SETUP)
        }
    }
}

fn caller_ids(facts: &Facts<'_>) -> Finding {
    const CHECK: &str = "caller-ids";
    if facts.seen.carrier.is_err() {
        return Finding::skipped(CHECK, "SignalWire cannot be asked: see signalwire-credentials");
    }
    let owned = match &facts.seen.owned {
        Ok(owned) => owned,
        Err(Trouble::Refused(401 | 403, _)) => {
            return Finding::skipped(
                CHECK,
                "the token has not the scope Numbers, which only this check needs: look in SignalWire's dashboard, or give doctor another token",
            );
        }
        Err(trouble) => return Finding::skipped(CHECK, format!("SignalWire did not tell: {trouble}")),
    };
    let agents = match facts.agents() {
        Ok(agents) => agents,
        Err(why) => return Finding::skipped(CHECK, why),
    };
    let mut wrong = Vec::new();
    for agent in agents {
        for id in agent["caller_ids"].as_array().into_iter().flatten().filter(|id| !owned.contains(id)) {
            wrong.push(format!("{} of {}", id.as_str().unwrap_or("?"), name(agent)));
        }
    }
    if wrong.is_empty() {
        return Finding::ok(CHECK, "all are bought or verified");
    }
    let detail = format!("neither bought nor verified: {}", wrong.join(", "));
    Finding::fails(CHECK, detail, "Buy or verify the number at SignalWire, or PUT /api/agents/{name} with others.")
}

fn exist(facts: &Facts<'_>) -> Finding {
    const CHECK: &str = "agents";
    let register = "Register one: `elevenwire setup`, or PUT /api/agents/{name}.";
    let agents = match (facts.agents(), &facts.seen.agents) {
        (Ok(agents), _) => agents,
        (Err(_), Ok(_)) => return Finding::fails(CHECK, "no agent is registered", register),
        (Err(why), Err(_)) => return Finding::skipped(CHECK, why),
    };
    if let Err(why) = facts.voices(&facts.seen.elevenlabs) {
        return Finding::skipped(CHECK, why);
    }
    let unknown = |agent: &Value| {
        let id = agent["elevenlabs_agent_id"].as_str().unwrap_or_default();
        match facts.seen.vendors_agents.get(id) {
            Some(Ok(_)) => None,
            Some(Err(Trouble::Refused(404, _))) | None => Some(format!("{}: ElevenLabs has no {id}", name(agent))),
            Some(Err(trouble)) => Some(format!("{}: {trouble}", name(agent))),
        }
    };
    let wrong: Vec<String> = agents.iter().filter_map(unknown).collect();
    let mend = "Copy the agent's id from ElevenLabs (agent_…) and PUT /api/agents/{name}; the key must be of the same workspace.";
    Finding::of(CHECK, &wrong, format!("{} registered, all exist", agents.len()), mend)
}

fn digits(number: &str) -> String {
    number.chars().filter(char::is_ascii_digit).collect()
}

fn numbers(facts: &Facts<'_>) -> [Finding; 3] {
    let checks = ["numbers", "number-format", "number-trunk"];
    let told = facts.voices(&facts.seen.numbers).and_then(|numbers| Ok((numbers, facts.pairs()?)));
    let (imported, pairs) = match told {
        Ok((numbers, pairs)) => (numbers.as_array().cloned().unwrap_or_default(), pairs),
        Err(why) => return checks.map(|check| Finding::skipped(check, why.clone())),
    };
    let [mut missing, mut written, mut trunk] = [const { Vec::new() }; 3];
    for (agent, _) in pairs {
        let ours = agent["number"].as_str().unwrap_or_default();
        let same = |number: &&Value| number["phone_number"] == ours;
        let alike = |number: &&Value| digits(number["phone_number"].as_str().unwrap_or_default()) == digits(ours);
        if let Some(number) = imported.iter().find(same) {
            if number["assigned_agent"]["agent_id"] != agent["elevenlabs_agent_id"] {
                missing.push(format!("{ours} is not assigned to {}", name(agent)));
            }
            trunk.extend(of_trunk(agent, number).map(|wrong| format!("{ours} {wrong}")));
        } else if let Some(number) = imported.iter().find(alike) {
            let theirs = number["phone_number"].as_str().unwrap_or_default();
            written.push(format!("{} has {ours}, imported is {theirs}", name(agent)));
        } else {
            missing.push(format!("{ours} of {} is not imported", name(agent)));
        }
    }
    let rewrite = "PUT /api/agents/{name} with `number` written exactly as it was imported.";
    let open = "At ElevenLabs, in the number's SIP trunk: no inbound user name and password; for `connect: trunk`, `elevenlabs_phone_number_id` is this number's id.";
    [
        Finding::of(checks[0], &missing, "each agent's number is imported and assigned", SETUP),
        Finding::of(checks[1], &written, "written as imported", rewrite),
        Finding::of(checks[2], &trunk, "SIP trunks without a password", open),
    ]
}

/// What of its trunk does not fit.
fn of_trunk(agent: &Value, number: &Value) -> Option<String> {
    let id = &number["phone_number_id"];
    if number["provider"] != "sip_trunk" {
        Some("is not a SIP trunk".to_owned())
    } else if number["inbound_trunk"]["has_auth_credentials"] == true {
        Some("wants a password, and 11Wire sends none".to_owned())
    } else if agent["connect"] == "trunk" && agent["elevenlabs_phone_number_id"] != *id {
        Some(format!("has the id {id}, the agent dials from {}", agent["elevenlabs_phone_number_id"]))
    } else {
        None
    }
}

fn initiation_webhook(facts: &Facts<'_>) -> Finding {
    const CHECK: &str = "initiation-webhook";
    let told = facts.voices(&facts.seen.settings).and_then(|settings| Ok((settings, facts.address(INITIATION_PATH)?)));
    let (settings, wanted) = match told {
        Ok(told) => told,
        Err(why) => return Finding::skipped(CHECK, why),
    };
    match settings["conversation_initiation_client_data_webhook"]["url"].as_str() {
        Some(url) if url == wanted => Finding::ok(CHECK, url),
        Some(url) => Finding::fails(CHECK, format!("it points to {url}, not to {wanted}"), SETUP),
        None => Finding::fails(CHECK, "there is none", SETUP),
    }
}

fn opt_out_tool(facts: &Facts<'_>) -> Finding {
    let told = facts.voices(&facts.seen.tools).and_then(|tools| Ok((tools, facts.address(OPT_OUT_PATH)?)));
    let (tools, wanted) = match told {
        Ok(told) => told,
        Err(why) => return Finding::skipped("opt-out-tool", why),
    };
    each(facts, "opt-out-tool", "has it", |_, told| {
        let ids = told.pointer("/conversation_config/agent/prompt/tool_ids").and_then(Value::as_array);
        let mine = tools.iter().filter(|tool| ids.is_some_and(|ids| ids.contains(&tool["id"])));
        let mut urls = mine.filter_map(|tool| tool["tool_config"]["api_schema"]["url"].as_str());
        (!urls.any(|url| url == wanted)).then(|| format!("has no tool that calls {wanted}"))
    })
}
