//! As people walk through the console, at the width of a phone and of a desk.

use testkit::world::TOKEN;

use crate::browser::Browser;
use crate::stage::{Stage, set};

/// Bytes of a page.
const LARGEST_PAGE: u64 = 100_000;

struct Walk<'s> {
    browser: Browser,
    stage: &'s Stage,
    width: u32,
}

impl Walk<'_> {
    fn at(&self, path: &str) -> String {
        format!("{}/console{path}", self.stage.world.url)
    }

    async fn sign_in(&self) {
        self.browser.go(&self.at("/calls?state=ended")).await;
        self.browser.write("#token", "wrong").await;
        self.browser.click("main button").await;
        assert!(self.browser.text("[role=alert]").await.contains("not one of the tokens"));
        self.browser.write("#token", TOKEN).await;
        self.browser.click("main button").await;
        self.browser.find("nav").await;
        assert!(self.browser.url().await.ends_with("/console/calls?state=ended"), "back to where one wanted to go");
        let cookie = self.browser.run("return document.cookie").await;
        assert_eq!(cookie, "", "no script reads the session");
        // Times are the reader's.
        assert!(!self.browser.text("#zone").await.is_empty());
    }

    /// Fits the width, has no barriers in light and dark, is small; a picture of it, if pictures are wanted.
    async fn look(&self, name: &str) {
        let url = self.browser.url().await;
        // Not `innerWidth`: on a phone that grows with a page that is too wide.
        let wide = self.browser.run("return document.documentElement.scrollWidth").await;
        assert!(wide.as_u64().unwrap() <= u64::from(self.width), "{name} is {wide} pixels wide at {}", self.width);
        let bytes = self.browser.run("return performance.getEntriesByType('navigation')[0].decodedBodySize").await;
        assert!(bytes.as_u64().unwrap() < LARGEST_PAGE, "{name} has {bytes} bytes");
        for scheme in ["dark", "light"] {
            self.browser.scheme(scheme).await;
            let barriers = self.browser.barriers().await;
            assert!(barriers.is_empty(), "{name} in {scheme} ({url}):\n{}", barriers.join("\n"));
            if let Ok(folder) = std::env::var("SCREENSHOTS") {
                let size = if self.width < 700 { "phone" } else { "desk" };
                if scheme == "light" || name == "overview" || name == "call" {
                    std::fs::create_dir_all(&folder).unwrap();
                    let picture = self.browser.picture(if self.width < 700 { 1700 } else { 1300 }).await;
                    std::fs::write(format!("{folder}/{name}-{size}-{scheme}.png"), picture).unwrap();
                }
            }
        }
        println!("{name} {} px: {bytes} bytes, no serious or critical finding", self.width);
    }

    async fn why_a_call_failed(&self) {
        self.browser.go(&self.at("")).await;
        self.look("overview").await;
        // One click.
        self.browser.click(&format!("#failed a[href$='{}']", self.stage.failed)).await;
        let told = self.browser.text("#explanation").await;
        assert!(told.len() > 40 && told.contains("Decided by: carrier"), "{told}");
        self.look("call-failed").await;
    }

    async fn hear_one_that_worked(&self) {
        self.browser.follow("Calls").await;
        self.browser.find("form.filters").await;
        self.look("calls").await;
        self.browser.click(&format!("a[href$='{}']", self.stage.talked)).await;
        self.look("call").await;
        // From the words to the sound, and from the sound to the words.
        self.browser.click("#talk li:nth-child(3) button.at").await;
        let from = self.browser.run("return Number(document.querySelectorAll('#talk li')[2].dataset.at)").await;
        self.browser.until(&format!("document.getElementById('player').currentTime > {from}")).await;
        self.browser.until("document.querySelectorAll('#talk li')[2].classList.contains('now')").await;
        self.browser.run("document.getElementById('player').currentTime = 0.2").await;
        self.browser.until("document.querySelector('#talk li').classList.contains('now')").await;
        self.browser.run("document.getElementById('player').pause()").await;
    }

    async fn import_a_list_with_bad_rows(&self) {
        let file = std::env::temp_dir().join(format!("people-{}-{}.csv", std::process::id(), self.width));
        std::fs::write(&file, "phone_number,consent_type\n+14155550301,express\n4.15551E+11,express\nnobody,express\n")
            .unwrap();
        self.browser.go(&self.at("/campaigns")).await;
        self.look("campaigns").await;
        self.browser.follow("Autumn reminders").await;
        self.browser.find("#funnel").await;
        self.look("campaign").await;
        self.browser.write("input[type=file]", file.to_str().unwrap()).await;
        self.browser.click("button[name=dry_run][value=yes]").await;
        self.browser.find("#import").await;
        self.stage.world.pump().await;
        // The page follows by itself.
        self.browser.until("document.querySelector('#bad-rows')").await;
        let bad = self.browser.text("#bad-rows").await;
        assert!(bad.contains('3') && bad.contains('4') && bad.contains("phone_number"), "{bad}");
        assert!(self.browser.text("#forecast").await.contains("1 callable"));
        self.look("import").await;
        std::fs::remove_file(file).unwrap();
    }

    async fn make_a_campaign(&self) {
        self.browser.go(&self.at("/campaigns")).await;
        self.browser.follow("New campaign").await;
        self.browser.find("#purpose").await;
        self.look("campaign-new").await;
        let purpose = self.browser.run("return document.getElementById('purpose').value").await;
        assert_eq!(purpose, "", "there is no purpose by default");
        self.browser.write("#name", "Spring offers").await;
        self.browser.click("#purpose option[value=marketing]").await;
        self.browser.click("button.main").await;
        // What is wrong stands beside its field, and what was typed is still there.
        self.browser.until("document.querySelector('[role=alert]')").await;
        assert!(self.browser.text("[id='texts.opt_out-wrong']").await.contains("how to say no"));
        let kept = self.browser.run("return document.getElementById('name').value").await;
        assert_eq!(kept, "Spring offers");
        self.look("campaign-wrong").await;
        for (name, text) in [
            ("identity", "This is Corner Shop"),
            ("ai_disclosure", "I am an automated assistant"),
            ("recording", "This call is recorded"),
            ("opt_out", "Say stop and we will not call again"),
        ] {
            self.browser.write(&format!("[id='texts.{name}']"), text).await;
        }
        self.browser.click("button.main").await;
        self.browser.until("document.querySelector('[role=status]')").await;
        assert!(self.browser.text("[role=status]").await.contains("Now it needs people"));
        assert_eq!(self.browser.text("#state").await, "draft");
        let made = self.browser.url().await;
        let id = made.split('?').next().unwrap().rsplit('/').next().unwrap();
        let view = self.stage.world.get(&format!("/api/campaigns/{id}")).await;
        let purpose = (&view["name"], &view["purpose"], &view["agent"]);
        assert_eq!(purpose, (&"Spring offers".into(), &"marketing".into(), &"demo".into()));
    }

    async fn pause_the_campaign(&self) {
        self.browser.go(&self.at(&format!("/campaigns/{}", self.stage.campaign))).await;
        self.browser.write("input[name=reason]", "the list is being checked").await;
        self.browser.click("button[value=pause]").await;
        self.browser.until("document.querySelector('[role=status]')").await;
        assert!(self.browser.text("[role=status]").await.contains("paused"));
        let view = self.stage.world.get(&format!("/api/campaigns/{}", self.stage.campaign)).await;
        assert_eq!((&view["state"], &view["because"]), (&"paused".into(), &"the list is being checked".into()));
        self.browser.click("button[value=resume]").await;
        self.browser.until("document.querySelector('button[value=pause]')").await;
        self.browser.go(&self.at(&format!("/campaigns/{}/people", self.stage.campaign))).await;
        self.look("people").await;
    }

    async fn stop_everything(&self) {
        self.browser.click("header a.stop").await;
        self.browser.find("form.danger").await;
        self.look("stop").await;
        self.browser.write("input[name=reason]", "wrong list").await;
        self.browser.click("form.danger button.stop").await;
        self.browser.until("document.querySelector('[role=status]')").await;
        let stops = self.stage.world.get("/api/stops").await;
        assert_eq!(
            (&stops["stops"][0]["scope"], &stops["stops"][0]["lifted_at"]),
            (&"all".into(), &serde_json::Value::Null)
        );
        self.browser.click(".notice.bad button").await;
        self.browser.until("document.querySelector('[role=status]').innerText.includes('The stop is lifted')").await;
        assert!(!self.stage.world.get("/api/stops").await["stops"][0]["lifted_at"].is_null());
    }

    async fn the_rest(&self) {
        let pages = [
            ("numbers", "/numbers"),
            ("number", "/numbers/+14155550177"),
            ("suppressions", "/suppressions"),
            ("agents", "/agents"),
            ("system", "/system"),
            ("nothing", "/nothing/here"),
        ];
        for (name, path) in pages {
            self.browser.go(&self.at(path)).await;
            self.look(name).await;
        }
        self.browser.go(&self.at("")).await;
        self.browser.click(".who button").await;
        self.browser.find("#token").await;
        self.look("sign-in").await;
        self.browser.go(&self.at("/calls")).await;
        self.browser.find("#token").await;
    }
}

async fn walk(width: u32, height: u32) {
    let stage = set().await;
    let walk = Walk { browser: Browser::open(width, height).await, stage: &stage, width };
    walk.sign_in().await;
    walk.why_a_call_failed().await;
    walk.hear_one_that_worked().await;
    walk.import_a_list_with_bad_rows().await;
    walk.make_a_campaign().await;
    walk.pause_the_campaign().await;
    walk.stop_everything().await;
    walk.the_rest().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_through_the_console_on_a_phone() {
    walk(390, 844).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_walk_through_the_console_at_a_desk() {
    walk(1440, 900).await;
}
