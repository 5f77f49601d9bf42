//! `plan rollback`: a finished plan is undone, and followed until its undo rests.

use serde_json::{Value, json};

use crate::{
    cli::{
        Common,
        client::Client,
        job::{Followed, follow, tell_interrupted},
        live::{Talk, watcher},
        out,
    },
    failure::Failure,
};

/// Undoes a finished plan: whoever holds the store carries it out, the running appliance or this process, to its end. 5 when
/// something of it is left.
pub(super) async fn run(common: &Common, plan_id: &str, reason: &str) -> Result<u8, Failure> {
    common.start_log("warn", false)?;
    let client = Client::open(common).await?;
    let here = client.house().is_some();
    let outcome = async {
        let params = json!({ "plan_id": plan_id, "reason": reason, "wait": false });
        let mut answer = client.call("config_rollback_plan", params).await?;
        let Some(job_id) = answer["job_id"].as_str().map(str::to_owned) else { return Ok(Some(answer)) };
        let mut view = watcher(common, false, Talk { quiet: common.quiet });
        match follow(&client, &job_id, &mut *view).await? {
            Followed::Rests(job) => {
                let plan = client.call("plan_details", json!({ "plan_id": plan_id })).await?;
                settled(&mut answer, &job, &plan["status"]);
                Ok::<_, Failure>(Some(answer))
            }
            Followed::Interrupted | Followed::Unread => {
                tell_interrupted(&job_id, here);
                Ok(None)
            }
        }
    }
    .await;
    client.close().await?;
    let Some(answer) = outcome? else { return Ok(5) };
    out::show(common, &answer, readable)?;
    Ok(if answer["status"] == "rolled_back" { 0 } else { 5 })
}

/// The answer as it is once its job rests.
fn settled(answer: &mut Value, job: &Value, status: &Value) {
    let ended = |now: &Value, reason: &Value| match now["status"].as_str().unwrap_or_default() {
        _ if now["skipped"] == true => "skipped",
        "applied" if now["steps_applied"] == now["steps"] => "rolled_back",
        "diverged" | "in_doubt" | "started" => "unclear",
        "waiting" if reason.is_null() => "not_begun",
        _ => "failed",
    };
    let mut undone = 0;
    let devices = answer["devices"].as_array_mut().into_iter().flatten();
    let mut total = 0;
    for device in devices {
        total += 1;
        let now = job["devices"].as_array().into_iter().flatten();
        let Some(now) = now.into_iter().find(|one| one["device_id"] == device["device_id"]) else { continue };
        let reasons = [&now["reason"], &now["timed_undo"]["reason"]];
        let reason = reasons.into_iter().find(|reason| reason.is_string()).unwrap_or(&Value::Null);
        let word = ended(now, reason);
        undone += usize::from(word == "rolled_back");
        device["status"] = word.into();
        if reason.is_string() && word != "rolled_back" {
            device["reason"] = reason.clone();
        }
    }
    answer["status"] = status.clone();
    answer["devices_affected"] = undone.into();
    answer["summary"] = json!({ "total": total, "success": undone, "failed": total - undone });
    let job_id = out::cell(&job["job_id"]);
    answer["next_step"] = match job["status"].as_str() {
        Some("stuck" | "halted") => format!("appliance job guide {job_id}").into(),
        _ if undone == total => "none".into(),
        _ => format!("appliance job guide {job_id} tells why; rolling back once more does the rest").into(),
    };
}

fn readable(answer: &Value) -> String {
    let mut text = format!(
        "{} is {}: {} of {} devices undone by {}",
        out::cell(&answer["plan_id"]),
        out::cell(&answer["status"]),
        out::cell(&answer["summary"]["success"]),
        out::cell(&answer["summary"]["total"]),
        out::cell(&answer["job_id"]),
    );
    let columns = [("device", "device_id"), ("status", "status"), ("reason", "reason")];
    text.push_str(&format!("\n{}", out::table(&answer["devices"], &columns)));
    if answer["next_step"] != "none" {
        text.push_str(&format!("\nnext: {}", out::cell(&answer["next_step"])));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_tells_each_device_as_its_job_left_it() {
        let device = |id: &str, status: &str| json!({ "device_id": id, "status": status, "steps": 1, "steps_applied": 1 });
        let ids = ["r1", "r2", "r3", "r4", "r5"];
        let mut answer = json!({ "plan_id": "p", "status": "rolling_back", "job_id": "j",
            "devices": ids.map(|id| device(id, "waiting")) });
        answer["devices"].as_array_mut().unwrap().push(device("r6", "unclear"));
        let job = json!({ "job_id": "j", "status": "failed", "devices": [
            device("r1", "applied"),
            { "device_id": "r2", "status": "not_applied", "reason": "device_unreachable" },
            device("r3", "waiting"), device("r4", "diverged"),
            { "device_id": "r5", "status": "waiting", "skipped": true } ] });
        settled(&mut answer, &job, &json!("partially_rolled_back"));
        let words: Vec<&str> =
            answer["devices"].as_array().unwrap().iter().map(|one| one["status"].as_str().unwrap()).collect();
        assert_eq!(words, ["rolled_back", "failed", "not_begun", "unclear", "skipped", "unclear"]);
        assert_eq!(answer["devices"][1]["reason"], "device_unreachable");
        assert!(answer["devices"][2]["reason"].is_null(), "nobody asked it: {answer}");
        assert_eq!(answer["summary"], json!({ "total": 6, "success": 1, "failed": 5 }));
        assert_eq!(answer["status"], "partially_rolled_back");
        let all =
            json!({ "job_id": "j", "status": "completed", "devices": ids.map(|id| device(id, "applied")) });
        answer["devices"].as_array_mut().unwrap().pop();
        settled(&mut answer, &all, &json!("rolled_back"));
        assert_eq!((&answer["next_step"], &answer["summary"]["failed"]), (&json!("none"), &json!(0)));
    }
}
