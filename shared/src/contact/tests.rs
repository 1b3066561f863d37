use super::*;

fn wishes() -> Wishes {
    Wishes { us_numbers: false, now: "2026-11-24T18:00:00Z".parse().unwrap() }
}

fn rows_of(bytes: &[u8], piece: usize, wishes: Wishes) -> Result<Vec<Row>, Unreadable> {
    let mut sheet = Sheet::new(wishes);
    let mut rows = Vec::new();
    for part in bytes.chunks(piece) {
        sheet.feed(part);
        while let Some(row) = sheet.next_row()? {
            rows.push(row);
        }
    }
    sheet.close();
    while let Some(row) = sheet.next_row()? {
        rows.push(row);
    }
    Ok(rows)
}

fn rows(text: &str) -> Vec<Row> {
    rows_of(text.as_bytes(), 7, wishes()).unwrap()
}

fn error(bytes: &[u8]) -> String {
    rows_of(bytes, 5, wishes()).unwrap_err().to_string()
}

fn good(text: &str) -> Contact {
    match rows(text).remove(0) {
        Row::Good(contact) => contact,
        Row::Bad(bad) => panic!("{bad:?}"),
    }
}

/// Line, column and reason of the one fault of the first row.
fn fault(text: &str) -> (u32, String, String) {
    match rows(text).remove(0) {
        Row::Bad(mut bad) if bad.faults.len() == 1 => {
            let fault = bad.faults.remove(0);
            (bad.line, fault.column, fault.reason)
        }
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refuses(header: &str, value: &str, word: &str) {
    let (line, column, reason) = fault(&format!("phone_number,{header}\n+14155550123,\"{value}\"\n"));
    assert_eq!((line, column.as_str()), (2, header));
    assert!(reason.contains(word), "{reason}");
}

#[track_caller]
fn refuses_number(value: &str, word: &str) {
    let (_, column, reason) = fault(&format!("Phone,x\n\"{value}\",y\n"));
    assert_eq!(column, "Phone");
    assert!(reason.contains(word), "{reason}");
}

#[test]
fn every_known_column_is_read_and_any_other_is_a_variable() {
    let contact = good(
        "First Name,phone_number,timezone,state,postal_code,consent_type,consent_at,consent_source,planCode,empty\n\
         Zoë,+1 (415) 555-0123,America/Los_Angeles,California,94105,written,2026-01-02,\"form 7, page 2\",GOLD,\n",
    );
    let callee = &contact.callee;
    assert_eq!((callee.number.as_str(), contact.line), ("+14155550123", 2));
    assert_eq!(callee.timezone.as_ref().unwrap().as_str(), "America/Los_Angeles");
    assert_eq!((callee.state.unwrap().as_str(), callee.postal_code.as_deref()), ("CA", Some("94105")));
    let consent = callee.consent.clone().unwrap();
    assert_eq!((consent.kind, consent.source.as_deref()), (guard::ConsentKind::Written, Some("form 7, page 2")));
    assert_eq!(consent.at, Some("2026-01-02T00:00:00Z".parse().unwrap()));
    assert_eq!(Value::Object(contact.variables), serde_json::json!({ "first_name": "Zoë", "planCode": "GOLD" }));
}

#[test]
fn a_file_reads_the_same_in_every_form_and_in_any_pieces() {
    let text = "phone;name\r\n+14155550123;\"Zoë;\r\nthe 😀\"\r\n\r\n;\r\n+12125550123;Al";
    let marked = ["\u{feff}", text].concat();
    let utf16 = |big: bool| -> Vec<u8> {
        let unit = |unit: u16| if big { unit.to_be_bytes() } else { unit.to_le_bytes() };
        marked.encode_utf16().flat_map(unit).collect()
    };
    let expected = rows(text);
    assert_eq!(expected.len(), 2, "{expected:?}");
    let said = ["sep=;\r\n", text].concat();
    for bytes in [marked.clone().into_bytes(), utf16(false), utf16(true)] {
        for piece in [1, 2, 3, 64, 4096] {
            assert_eq!(rows_of(&bytes, piece, wishes()).unwrap(), expected, "{piece}");
        }
    }
    let names = |rows: Vec<Row>| -> Vec<(u32, String)> {
        let name = |row| match row {
            Row::Good(contact) => (contact.line, contact.variables["name"].as_str().unwrap().to_owned()),
            Row::Bad(bad) => panic!("{bad:?}"),
        };
        rows.into_iter().map(name).collect()
    };
    let shifted: Vec<_> = names(expected).into_iter().map(|(line, name)| (line + 1, name)).collect();
    assert_eq!(names(rows(&said)), shifted);
    assert_eq!((shifted[0].0, shifted[1].0), (3, 7), "physical lines");
    assert_eq!(rows(&text.replace(';', "\t")).len(), 2);
}

#[test]
fn a_file_that_cannot_be_read_says_so_in_a_clear_word() {
    let long = format!("phone_number,{}", "x".repeat(70_000));
    let wide = format!("phone_number{}", ",a".repeat(200));
    let cases: [(&[u8], &str); 20] = [
        (b"", "is empty"),
        (b"\xEF\xBB\xBF", "is empty"),
        (b"\r\n \r\n\r\n", "is empty"),
        (b"PK\x03\x04\x14\x00", "Excel workbook"),
        (b"\x1F\x8B\x08\x00", "compressed"),
        (b"p\0h\0o\0n\0e\0\n\0+\x001\x00", "UTF-16 without its byte order mark"),
        (b"phone,pr\xE9nom\n+14155550123,x", "header is not UTF-8"),
        (b"+14155550123,Maria\n+14155550124,Al", "first line is no header"),
        (b"4155550123\n4155550124", "first line is no header"),
        (b"name,email\nMaria,m@example.org", "no column phone_number; it has name, email"),
        (b"phone_number,,name\n", "Column 2 has no name"),
        (b"phone,name,mobile\n", "\"phone\" and \"mobile\" both mean phone_number"),
        (b"phone,First Name,first_name\n", "both mean the variable first_name"),
        (b"phone,1st\n", "\"1st\" cannot be a variable"),
        (b"phone,pr\xC3\xA9nom\n", "cannot be a variable"),
        (b"phone,call_id\n", "the system sets itself"),
        (b"phone,text_opt_out\n", "the system sets itself"),
        (wide.as_bytes(), "more than 110 columns"),
        (long.as_bytes(), "longer than 64 kB"),
        (b"phone,name\n+14155550123,x\n+14155550124,\"y\n+14155550125,z\n", "opened on line 3 and never closed"),
    ];
    for (bytes, word) in cases {
        let text = error(bytes);
        assert!(text.contains(word), "{text} lacks {word}");
    }
    assert!(error(b"phone,\"a\"b\n").contains("quote within a quoted text"));
}

#[test]
fn a_number_is_taken_as_it_is_or_not_at_all() {
    refuses_number("", "is empty");
    refuses_number("4155550123", "has no country code");
    refuses_number("14155550123", "has no country code");
    refuses_number("0014155550123", "has no country code");
    refuses_number("4.15551E+11", "rounded number by Excel");
    refuses_number("1,41556E+10", "rounded number by Excel");
    refuses_number("+1 415 CALL NOW", "is not a phone number");
    refuses_number("+14155550123 x5", "is not a phone number");
    refuses_number("'+14155550123", "is not a phone number");
    refuses_number("+1415555", "is not a phone number");
    refuses_number("+999123456789", "is not a phone number");
    for (number, rule) in [
        ("+18005550123", "toll_free"),
        ("+19005550123", "premium_rate"),
        ("+15005550123", "personal_number"),
        ("+442079460018", "no_rules_for_country"),
        ("+14165550123", "no_rules_for_country"),
        ("+14159110123", "unassigned"),
    ] {
        refuses_number(number, rule);
    }
}

#[test]
fn ten_digits_are_a_us_number_only_if_the_owner_says_so() {
    let us = Wishes { us_numbers: true, ..wishes() };
    let text = "phone\n4155550123\n(415) 555-0124\n14155550125\n+14155550126\n555012\n";
    let rows = rows_of(text.as_bytes(), 9, us).unwrap();
    let numbers: Vec<Option<&str>> = rows
        .iter()
        .map(|row| match row {
            Row::Good(contact) => Some(contact.callee.number.as_str()),
            Row::Bad(_) => None,
        })
        .collect();
    assert_eq!(numbers, [Some("+14155550123"), Some("+14155550124"), Some("+14155550125"), Some("+14155550126"), None]);
}

#[test]
fn every_known_column_has_its_own_words() {
    refuses("timezone", "PST", "no IANA time zone");
    refuses("timezone", "America/Springfield", "no IANA time zone");
    refuses("state", "Bavaria", "no state of the US");
    refuses("postal_code", "2139", "lost its leading zero");
    refuses("postal_code", "K1A 0B1", "no US ZIP code");
    refuses("postal_code", "00000", "no US ZIP code");
    refuses("consent_type", "yes", "is none of written, express");
    refuses("consent_at", "11/24/2026", "is no date");
    refuses("consent_at", "45000", "is no date");
    refuses("consent_at", "2026-11-25", "lies in the future");
    refuses("consent_source", &"x".repeat(501), "longer than 500 bytes");
    refuses("name", &"x".repeat(4097), "longer than 4,096 bytes");
    refuses("name", "a\0b", "NUL");
    let at = good("phone,consent_type,consent_at\n+14155550123,express,2026-03-08T02:30:00-05:00\n").callee.consent;
    assert_eq!(at.unwrap().at, Some("2026-03-08T07:30:00Z".parse().unwrap()));
}

#[test]
fn a_row_that_is_no_row_is_named_by_its_line_and_spoils_no_other() {
    let text =
        b"phone,name\n+14155550123\n+14155550124,a,b\n+14155550125,\"a\" b\n+14155550126,caf\xE9\n+14155550127,fine\n";
    let rows = rows_of(text, 11, wishes()).unwrap();
    let words = ["has 1 fields where the header has 2", "has 3 fields", "quote within a quoted text", "is not UTF-8"];
    for (at, word) in words.iter().enumerate() {
        let Row::Bad(bad) = &rows[at] else { panic!("{:?}", rows[at]) };
        assert_eq!(bad.line as usize, at + 2);
        assert!(bad.faults[0].reason.contains(word), "{bad:?}");
    }
    assert!(matches!(&rows[4], Row::Good(contact) if contact.line == 6));
    let long = format!("phone,name\n+14155550123,{}\n+14155550124,x\n", "y".repeat(70_000));
    let rows = rows_of(long.as_bytes(), 1000, wishes()).unwrap();
    assert!(matches!((&rows[0], &rows[1]), (Row::Bad(_), Row::Good(_))));
}

#[test]
fn all_that_is_wrong_in_a_row_is_told_at_once_and_no_cell_of_the_report_is_a_formula() {
    let Row::Bad(bad) = rows("phone,state,zip\n415,x,y\n").remove(0) else { panic!("it is bad") };
    assert_eq!(bad.faults.len(), 3);
    let bad = BadRow {
        line: 7,
        faults: vec![Fault { column: "=cmd|' /C calc'!A0".into(), reason: "a \"b\"".into(), rule: None }],
    };
    assert_eq!(bad.report(), "7,\"'=cmd|' /C calc'!A0\",\"a \"\"b\"\"\"\r\n");
}

#[test]
fn the_columns_say_how_the_header_was_understood() {
    let mut sheet = Sheet::new(wishes());
    sheet.feed(b"Mobile,First Name\n");
    assert_eq!(sheet.next_row(), Ok(None));
    assert_eq!(
        serde_json::to_value(sheet.columns()).unwrap(),
        serde_json::json!([{ "name": "Mobile", "field": "phone_number" }, { "name": "First Name", "variable": "first_name" }])
    );
}
