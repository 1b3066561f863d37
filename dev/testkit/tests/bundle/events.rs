//! Every file of `events/` through aws-lambda-rie, and a file for every function, route, queue and schedule.

use std::collections::BTreeSet;
use std::path::PathBuf;

use serde_json::Value;

use crate::stack::{Stack, root};

/// The files, by the name of their function.
fn files() -> Vec<(String, PathBuf)> {
    let mut files = Vec::new();
    for folder in std::fs::read_dir(root().join("events")).unwrap().map(Result::unwrap) {
        let function = folder.file_name().into_string().unwrap();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            files.push((function.clone(), file.unwrap().path()));
        }
    }
    files.sort();
    files
}

/// What follows a word in the lines of the template.
fn told(word: &str) -> BTreeSet<String> {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    template.lines().filter_map(|line| line.trim().strip_prefix(word)).map(|rest| rest.trim().to_owned()).collect()
}

#[tokio::test]
async fn every_event_is_answered_as_it_says() {
    let stack = Stack::open().await;
    let files = files();
    let mut arguments = vec!["dev/stack/rie.py", "--report"];
    arguments.extend(files.iter().map(|(_, path)| path.to_str().unwrap()));
    let run = stack.python(&arguments);
    let text = String::from_utf8(run.stdout).unwrap();
    let reports: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(reports.len(), files.len(), "{}", String::from_utf8_lossy(&run.stderr));
    let mut wrong = Vec::new();
    for report in &reports {
        println!("{} {} ms", report["event"].as_str().unwrap(), report["millis"]);
        if report["problems"].as_array().unwrap().iter().count() > 0 {
            wrong.push(format!("{}: {:#}\n{}", report["event"], report["problems"], report["log"].as_str().unwrap()));
        }
    }
    assert!(wrong.is_empty() && run.status.success(), "{}", wrong.join("\n"));
}

/// The inputs of all schedules, each with its function. The scheduler puts the time into them, as a file does.
fn schedules() -> BTreeSet<(String, String)> {
    let template = std::fs::read_to_string(root().join("template.yaml")).unwrap();
    let (mut function, mut inputs) = (String::new(), BTreeSet::new());
    for line in template.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("CodeUri: functions/") {
            name.clone_into(&mut function);
        } else if let Some(input) = line.strip_prefix("Input:") {
            let input = input.trim().trim_matches('\'').replace("<aws.scheduler.scheduled-time>", "{{now}}");
            let input: Value = serde_json::from_str(&input).unwrap();
            inputs.insert((function.clone(), input.to_string()));
        }
    }
    inputs
}

#[test]
fn every_function_route_queue_and_schedule_has_an_event_that_says_what_is_expected() {
    let mut functions = BTreeSet::new();
    let mut routes = BTreeSet::new();
    let mut queues = BTreeSet::new();
    let mut inputs = BTreeSet::new();
    for (function, path) in files() {
        let mut event: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let own = event.as_object_mut().unwrap();
        let expected = own.remove("_expect").unwrap_or_default();
        assert!(expected["answer"].is_object(), "{} does not say which answer it expects", path.display());
        own.remove("_given");
        if let Some(route) = event["routeKey"].as_str() {
            routes.insert(route.to_owned());
        } else if event["Records"].is_array() {
            queues.insert(function.clone());
        } else {
            inputs.insert((function.clone(), event.to_string()));
        }
        functions.insert(function);
    }
    assert_eq!(functions, told("CodeUri: functions/"));
    assert_eq!(routes, told("RouteKey:"));
    assert_eq!(queues.len(), told("EventSourceArn:").len(), "{queues:?}");
    assert!(inputs.is_superset(&schedules()), "{inputs:?} lack one of {:?}", schedules());
}
