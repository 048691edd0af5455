-- What should stand on a day, worked out from the departments' own tables and from nothing else.
-- An auditor's recomputation: people are known by their ID number, amounts are summed straight from
-- the bills, nothing is shared with screening (no facts view, no rule file, no versions, no keys).
-- Input tables: setl_d, psn_insu_d, disabled_card, low_income_member, household_member, benefit,
-- life_event, means_check, aid_application, student, job_status, insured_relation, house_appraisal, tenancy, water_supply, industry_support,
-- clock(today, late_days). Result:
-- table expected, one row a standing condition; table unidentified, one row a record without a usable ID.
-- Unknown flags count against nobody: every absence below is an absence in a complete table.

---------------------------------------------------------------- ID numbers (GB 11643-1999)
-- As typed: full-width digits, lower-case x, blanks, and the 15-digit numbers of before 1999.
CREATE OR REPLACE MACRO typed(raw) AS
    upper(regexp_replace(translate(raw, '０１２３４５６７８９Ｘｘ', '0123456789XX'), '[\s　]', '', 'g'));

CREATE OR REPLACE MACRO check_digit(body) AS substr('10X98765432', 1 + (
    7 * substr(body, 1, 1)::INT + 9 * substr(body, 2, 1)::INT + 10 * substr(body, 3, 1)::INT
  + 5 * substr(body, 4, 1)::INT + 8 * substr(body, 5, 1)::INT + 4 * substr(body, 6, 1)::INT
  + 2 * substr(body, 7, 1)::INT + 1 * substr(body, 8, 1)::INT + 6 * substr(body, 9, 1)::INT
  + 3 * substr(body, 10, 1)::INT + 7 * substr(body, 11, 1)::INT + 9 * substr(body, 12, 1)::INT
  + 10 * substr(body, 13, 1)::INT + 5 * substr(body, 14, 1)::INT + 8 * substr(body, 15, 1)::INT
  + 4 * substr(body, 16, 1)::INT + 2 * substr(body, 17, 1)::INT) % 11, 1);

-- Each distinct spelling once: a county writes the same number in many rows.
CREATE OR REPLACE TABLE spelling AS
WITH raw AS (
    SELECT certno AS raw FROM setl_d UNION SELECT certno FROM psn_insu_d
    UNION SELECT certno FROM disabled_card UNION SELECT id_number FROM low_income_member
    UNION SELECT id_number FROM household_member UNION SELECT id_number FROM benefit
    UNION SELECT certno FROM life_event UNION SELECT id_number FROM means_check
    UNION SELECT id_number FROM aid_application
    UNION SELECT certno FROM student UNION SELECT certno FROM job_status UNION SELECT certno FROM insured_relation
    UNION SELECT certno FROM house_appraisal
    UNION SELECT certno FROM tenancy UNION SELECT certno FROM water_supply UNION SELECT certno FROM industry_support
    UNION SELECT guardian_certno FROM student UNION SELECT guardian_certno FROM disabled_card
), long_form AS (
    SELECT raw, CASE WHEN regexp_full_match(typed(raw), '[0-9]{15}')
                     THEN substr(typed(raw), 1, 6) || '19' || substr(typed(raw), 7, 9) ELSE typed(raw) END AS id
    FROM raw
), full_form AS (
    SELECT raw, CASE WHEN regexp_full_match(id, '[0-9]{17}') AND regexp_full_match(typed(raw), '[0-9]{15}')
                     THEN id || check_digit(id) ELSE id END AS id
    FROM long_form
)
SELECT raw, CASE WHEN regexp_full_match(id, '[0-9]{17}[0-9X]')
                  AND try_strptime(substr(id, 7, 8), '%Y%m%d') IS NOT NULL
            THEN CASE WHEN check_digit(substr(id, 1, 17)) = substr(id, 18, 1) THEN id END END AS id
FROM full_form;

-- Full years on a day, from the digits of the number: 0229 comes before 0301 and after 0228.
CREATE OR REPLACE MACRO years(id, day) AS (strftime(day, '%Y%m%d')::INT - substr(id, 7, 8)::INT) // 10000;

---------------------------------------------------------------- who lives, who is on the roster, in which house
-- A row of the drop folder given twice or corrected: the latest registration of that record number counts.
CREATE OR REPLACE TABLE last_word AS
SELECT * FROM life_event
QUALIFY row_number() OVER (PARTITION BY record_no ORDER BY registered_at DESC, arrival DESC) = 1;

CREATE OR REPLACE TABLE dead AS
SELECT s.id, e.record_no, e.event_on
FROM last_word e JOIN spelling s ON s.raw = e.certno AND s.id IS NOT NULL
WHERE e.event = '死亡';

-- What else happened to people, likewise by the last word of each record.
CREATE OR REPLACE TABLE happened AS
SELECT s.id, e.record_no, e.event, e.event_on, today - e.event_on AS days_ago
FROM last_word e CROSS JOIN clock JOIN spelling s ON s.raw = e.certno AND s.id IS NOT NULL
WHERE e.event IN ('收押', '迁出', '交通事故', '安全事故', '受灾');

CREATE OR REPLACE TABLE precedence AS
SELECT * FROM (VALUES ('tekun', 1), ('dibao', 2), ('bianyuan', 3), ('gangxing', 4), ('jiance', 5), ('qita', 6))
    AS p(tier, place);

-- Who leaves with a taper (渐退) counts until the taper ends. 防止返贫监测对象 is no tier from 2031 on.
CREATE OR REPLACE TABLE entry AS
WITH m AS (
    SELECT *, CASE WHEN taper_until > end_date OR (status = 'exited' AND end_date IS NULL) THEN taper_until
                   ELSE end_date END AS out_date
    FROM low_income_member
)
SELECT s.id, m.entry_id, m.tier_code AS tier, m.start_date, m.out_date, m.status, today - m.out_date AS days_out,
       m.taper_until, m.verify_date,
       regexp_extract(translate(upper(trim(m.class_code, ' 　')), 'ＡＢＣａｂｃ', 'ABCABC'), '^([ABC])类?$', 1) AS class,
       (m.status = 'active' OR (m.status = 'exited' AND m.out_date > today))
       AND m.start_date <= today AND (m.out_date IS NULL OR m.out_date > today)
       AND NOT (m.tier_code = 'jiance' AND today >= DATE '2031-01-01') AS in_force
FROM m, clock, spelling s
WHERE s.raw = m.id_number AND s.id IS NOT NULL AND NOT coalesce(m.deleted, false);

CREATE OR REPLACE TABLE tier_now AS
SELECT id, arg_min(tier, place) AS tier FROM entry JOIN precedence USING (tier) WHERE in_force GROUP BY id;

CREATE OR REPLACE TABLE home AS
SELECT s.id, h.household_no, coalesce(h.is_head, false) AS head, h.joined_on
FROM household_member h, clock, spelling s
WHERE s.raw = h.id_number AND s.id IS NOT NULL AND NOT coalesce(h.deleted, false)
  AND (h.joined_on IS NULL OR h.joined_on <= today) AND (h.left_on IS NULL OR h.left_on > today);

-- A household has the tier of its living members.
CREATE OR REPLACE TABLE house_tier AS
SELECT household_no, arg_min(tier, place) AS tier
FROM home JOIN tier_now USING (id) JOIN precedence USING (tier)
WHERE id NOT IN (SELECT id FROM dead) GROUP BY household_no;

-- Whoever applied for aid, for which house, and what became of it.
CREATE OR REPLACE TABLE asked_for_aid AS
SELECT s.id, a.household_no, a.state, today - a.apply_date AS days_ago
FROM aid_application a CROSS JOIN clock JOIN spelling s ON s.raw = a.id_number AND s.id IS NOT NULL
WHERE NOT a.deleted;

-- Left the roster, was refused in it, or was refused on application; or is on it.
CREATE OR REPLACE TABLE known_to_civil_affairs AS
SELECT id FROM entry UNION SELECT id FROM asked_for_aid WHERE state = '不予确认';

---------------------------------------------------------------- what each person paid, and what aid followed
CREATE OR REPLACE TABLE bill AS
SELECT s.id, setl_id, med_type, year(local_day) AS y, local_day,
       round(psn_part_amt::DECIMAL(18, 2) * 100)::BIGINT AS fen,
       round((psn_part_amt::DECIMAL(18, 2) - coalesce(fulamt_ownpay_amt::DECIMAL(18, 2), 0)
              - coalesce(overlmt_selfpay::DECIMAL(18, 2), 0) - coalesce(preselfpay_amt::DECIMAL(18, 2), 0)) * 100)::BIGINT
       AS fen_in_policy
FROM setl_d b JOIN spelling s ON s.raw = b.certno AND s.id IS NOT NULL
WHERE coalesce(vali_flag, '1') = '1' AND psn_part_amt IS NOT NULL AND local_day IS NOT NULL;

CREATE OR REPLACE TABLE gift AS
SELECT s.id, b.benefit_id, b.benefit_code AS code, b.status, b.granted_on, round(b.amount::DECIMAL(18, 2) * 100)::BIGINT AS fen,
       b.status = 'active' AND b.start_on <= today AND (b.end_on IS NULL OR b.end_on > today) AS running
FROM benefit b, clock, spelling s
WHERE s.raw = b.id_number AND s.id IS NOT NULL AND NOT coalesce(b.deleted, false);

CREATE OR REPLACE TABLE last_aid AS
SELECT id, year(granted_on) AS y, max(granted_on) AS granted_on FROM gift
WHERE code IN ('temporary_aid', 'medical_aid') AND status <> 'stopped' GROUP BY ALL;

-- A year stays open until late_days after its 31 December.
CREATE OR REPLACE TABLE paid AS
SELECT b.id, b.y, sum(b.fen) AS fen,
       count(a.id) > 0 AS aided,
       coalesce(sum(b.fen) FILTER (WHERE b.local_day <= a.granted_on), 0) AS fen_before_aid
FROM bill b CROSS JOIN clock LEFT JOIN last_aid a ON a.id = b.id AND a.y = b.y
WHERE b.y = year(today) OR (b.y < year(today) AND today <= make_date(b.y, 12, 31) + late_days)
GROUP BY b.id, b.y;

---------------------------------------------------------------- medical insurance and cards
CREATE OR REPLACE TABLE mark AS
SELECT s.id, i.psn_no, i.psn_idet_type AS tier
FROM psn_insu_d i, clock, spelling s
WHERE s.raw = i.certno AND s.id IS NOT NULL AND coalesce(i.psn_idet_type, '') <> ''
  AND i.idet_begndate <= today AND (i.idet_enddate IS NULL OR i.idet_enddate > today);

-- 1: enrolled and paid up; 390: as a resident.
CREATE OR REPLACE TABLE enrolled AS
SELECT s.id, bool_or(i.insutype = '390') AS resident
FROM psn_insu_d i JOIN spelling s ON s.raw = i.certno AND s.id IS NOT NULL
WHERE i.psn_insu_stas = '1' GROUP BY s.id;

CREATE OR REPLACE TABLE valid_card AS
SELECT s.id, c.card_no, c.category, c.grade
FROM disabled_card c, clock, spelling s
WHERE s.raw = c.certno AND s.id IS NOT NULL AND c.status = 'active'
  AND (c.valid_until IS NULL OR c.valid_until >= today);

CREATE OR REPLACE TABLE care_card AS
SELECT s.id, c.card_no
FROM disabled_card c, clock, spelling s
WHERE s.raw = c.certno AND s.id IS NOT NULL AND c.status = 'active'
  AND (c.valid_until IS NULL OR c.valid_until >= today)
  AND (c.grade <= 2 OR (c.category IN (5, 6) AND c.grade <= 3));

---------------------------------------------------------------- the list
CREATE OR REPLACE TABLE expected (
    rule VARCHAR, subject VARCHAR, episode VARCHAR, level VARCHAR, department VARCHAR, kind VARCHAR, fen BIGINT);

-- R01-R04: the year's self-pay of a living person beyond the line of his or her tier, and no aid since for it.
INSERT INTO expected
WITH line(tier, rule, fen) AS (VALUES
    ('tekun', 'R01', 100000), ('dibao', 'R02', 500000), ('bianyuan', 'R03', 1000000),
    ('gangxing', 'R03', 1000000), ('jiance', 'R03', 1000000), ('qita', 'R03', 1000000), ('', 'R04', 1500000))
SELECT line.rule, paid.id, paid.y::VARCHAR,
       CASE WHEN paid.fen // line.fen >= 3 THEN 'red' WHEN line.rule = 'R04' THEN 'yellow' ELSE 'orange' END,
       'civil', 'alert', paid.fen
FROM paid LEFT JOIN tier_now USING (id) JOIN line ON line.tier = coalesce(tier_now.tier, '')
WHERE paid.fen > line.fen
  AND paid.id NOT IN (SELECT id FROM dead)
  AND NOT (aided AND floor(fen_before_aid / line.fen) >= floor(paid.fen / line.fen));

-- H01: the same over everybody who belongs to the household, by the tier of its living members.
INSERT INTO expected
WITH line(tier, fen) AS (VALUES
    ('tekun', 200000), ('dibao', 800000), ('bianyuan', 1500000), ('gangxing', 1500000),
    ('jiance', 1500000), ('qita', 1500000), ('', 2500000)),
house_paid AS (
    SELECT household_no, y, sum(fen) AS fen, bool_or(aided) AS aided, sum(fen_before_aid) AS fen_before_aid
    FROM (SELECT DISTINCT id, household_no FROM home) JOIN paid USING (id) GROUP BY household_no, y)
SELECT 'H01', household_no, y::VARCHAR,
       CASE WHEN h.fen // line.fen >= 3 THEN 'red' ELSE 'orange' END, 'civil', 'alert', h.fen
FROM house_paid h LEFT JOIN house_tier t USING (household_no) JOIN line ON line.tier = coalesce(t.tier, '')
WHERE h.fen > line.fen AND NOT (aided AND floor(fen_before_aid / line.fen) >= floor(h.fen / line.fen));

-- R09: on the roster, and medical insurance does not show that identity.
INSERT INTO expected
SELECT 'R09', e.id, e.entry_id, 'yellow', 'medical', 'task', NULL
FROM entry e
WHERE e.in_force AND e.id NOT IN (SELECT id FROM dead)
  AND NOT EXISTS (SELECT 1 FROM mark m WHERE m.id = e.id AND m.tier = e.tier);

-- R10: was on the roster, is in no tier now, and is still marked.
INSERT INTO expected
SELECT 'R10', m.id, m.psn_no, 'yellow', 'medical', 'task', NULL
FROM mark m
WHERE m.id IN (SELECT id FROM entry) AND m.id NOT IN (SELECT id FROM tier_now);

-- R13: a card that earns the care subsidy, and no care subsidy paid; 特困 have their own care.
INSERT INTO expected
SELECT 'R13', c.id, c.card_no, 'yellow', 'civil', 'task', NULL
FROM care_card c
WHERE c.id NOT IN (SELECT id FROM entry WHERE in_force AND tier = 'tekun')
  AND c.id NOT IN (SELECT id FROM gift WHERE code = 'care_subsidy' AND running)
  AND c.id NOT IN (SELECT id FROM dead);

-- R32: died, and something is still paid or the roster still lists the person.
INSERT INTO expected
SELECT 'R32', d.id, d.record_no, 'red', 'civil', 'alert', NULL
FROM dead d
WHERE d.id IN (SELECT id FROM gift WHERE running AND code IN ('dibao', 'tekun', 'living_subsidy', 'care_subsidy'))
   OR d.id IN (SELECT id FROM tier_now);

-- R32F: was 特困 or 低保 on the day of death, and no funeral subsidy granted.
INSERT INTO expected
SELECT 'R32F', d.id, d.record_no, 'yellow', 'civil', 'task', NULL
FROM dead d
WHERE EXISTS (SELECT 1 FROM entry e WHERE e.id = d.id AND e.tier IN ('tekun', 'dibao')
                AND e.status IN ('active', 'exited') AND e.start_date <= d.event_on
                AND (e.out_date IS NULL OR e.out_date > d.event_on))
  AND d.id NOT IN (SELECT id FROM gift WHERE code = 'funeral_subsidy' AND status <> 'stopped');

-- R05, R06: the year's self-pay against the rural income per head of 2024, 23,119 yuan: half of it for the
-- monitored, all of it for residents off the roster.
INSERT INTO expected
WITH seen AS (
    SELECT 'R05' AS rule, id, y, fen, aided, fen_before_aid, 1155950 AS line
    FROM paid JOIN tier_now USING (id) WHERE tier = 'jiance'
    UNION ALL
    SELECT 'R06', id, y, fen, aided, fen_before_aid, 2311900
    FROM paid JOIN enrolled USING (id) WHERE resident AND id NOT IN (SELECT id FROM tier_now))
SELECT rule, id, y::VARCHAR, CASE WHEN fen // line >= 3 THEN 'red' ELSE 'orange' END, 'civil', 'alert', fen
FROM seen
WHERE fen > line AND id NOT IN (SELECT id FROM dead)
  AND NOT (aided AND floor(fen_before_aid / line) >= floor(fen / line));

-- R37: left the roster or was refused, and between 8,000 and 15,000 yuan in the year.
INSERT INTO expected
SELECT 'R37', id, y::VARCHAR, 'yellow', 'civil', 'alert', fen
FROM paid
WHERE fen > 800000 AND fen <= 1500000
  AND id IN (SELECT id FROM known_to_civil_affairs) AND id NOT IN (SELECT id FROM tier_now)
  AND id NOT IN (SELECT id FROM dead)
  AND NOT (aided AND fen_before_aid > 800000);

-- R07, R12: one stay in hospital, not refunded, and no aid on its day or since.
CREATE OR REPLACE TABLE stay AS
SELECT b.*, today - b.local_day AS days_ago
FROM bill b CROSS JOIN clock
WHERE left(b.med_type, 1) = '2' AND b.fen > 0 AND b.id NOT IN (SELECT id FROM dead)
  AND NOT EXISTS (SELECT 1 FROM bill r WHERE r.id = b.id AND r.fen = -b.fen AND r.local_day >= b.local_day)
  AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.id = b.id AND g.code IN ('temporary_aid', 'medical_aid')
                  AND g.status <> 'stopped' AND g.granted_on >= b.local_day);
INSERT INTO expected
SELECT 'R07', s.id, s.setl_id, 'yellow', 'civil', 'alert', NULL
FROM stay s LEFT JOIN tier_now t USING (id) LEFT JOIN enrolled e USING (id)
WHERE s.days_ago BETWEEN 0 AND 60
  AND ((t.tier = 'jiance' AND s.fen > 600000) OR (t.tier IS NULL AND e.resident AND s.fen > 1000000));
INSERT INTO expected
SELECT 'R12', s.id, s.setl_id, 'red', 'civil', 'alert', NULL FROM stay s
WHERE s.days_ago BETWEEN 0 AND 30 AND s.fen > 3000000;

-- R11: on the roster and not insured.
INSERT INTO expected
SELECT 'R11', e.id, e.entry_id, 'yellow', 'medical', 'task', NULL FROM entry e
WHERE e.in_force AND e.id NOT IN (SELECT id FROM dead) AND e.id NOT IN (SELECT id FROM enrolled);

-- R14, R14S: a disabled member of a 低保 family, or a severely disabled one of three other tiers, without living subsidy.
INSERT INTO expected
SELECT CASE WHEN t.tier = 'dibao' THEN 'R14' ELSE 'R14S' END, c.id, c.card_no, 'yellow', 'civil', 'task', NULL
FROM valid_card c JOIN tier_now t USING (id)
WHERE (t.tier = 'dibao' OR (t.tier IN ('bianyuan', 'gangxing', 'jiance') AND c.grade <= 2))
  AND c.id NOT IN (SELECT id FROM gift WHERE code = 'living_subsidy' AND running)
  AND c.id NOT IN (SELECT id FROM dead);

-- R15: in a borderline family, gravely enough disabled to count as a household of one.
INSERT INTO expected
SELECT 'R15', c.id, c.card_no, 'orange', 'civil', 'alert', NULL
FROM valid_card c JOIN tier_now t USING (id)
WHERE t.tier = 'bianyuan' AND (c.grade <= 2 OR (c.category IN (5, 6) AND c.grade <= 3))
  AND c.id NOT IN (SELECT id FROM dead);

-- R16: a disability subsidy runs, and no valid certificate earns it.
INSERT INTO expected
SELECT DISTINCT 'R16', g.id, g.code, 'orange', 'civil', 'alert', NULL::BIGINT
FROM gift g
WHERE g.running AND g.id NOT IN (SELECT id FROM dead)
  AND ((g.code = 'care_subsidy' AND g.id NOT IN (SELECT id FROM care_card))
    OR (g.code = 'living_subsidy' AND g.id NOT IN (SELECT id FROM valid_card)));

-- R41: the same benefit twice, or 低保 beside 特困.
INSERT INTO expected
SELECT 'R41', g.id, g.code, 'orange', 'civil', 'alert', NULL
FROM gift g
WHERE g.running AND g.code IN ('dibao', 'tekun', 'living_subsidy', 'care_subsidy') AND g.id NOT IN (SELECT id FROM dead)
GROUP BY g.id, g.code
HAVING count(*) > 1 OR (g.code = 'dibao' AND g.id IN (SELECT id FROM gift WHERE running AND code = 'tekun'));

-- R43: a disability subsidy paid below the standard. R44: 低保 paid to the destitute, below what they are due.
INSERT INTO expected
SELECT 'R43', g.id, g.code, 'yellow', 'civil', 'task', NULL
FROM gift g
WHERE g.running AND g.code IN ('living_subsidy', 'care_subsidy') AND g.id NOT IN (SELECT id FROM dead)
GROUP BY g.id, g.code
HAVING count(g.fen) = count(*) AND sum(g.fen) < 10000;
INSERT INTO expected
SELECT 'R44', g.id, g.code, 'yellow', 'civil', 'task', NULL
FROM gift g
WHERE g.running AND g.code = 'dibao' AND g.id NOT IN (SELECT id FROM dead)
  AND g.id IN (SELECT id FROM entry WHERE in_force AND tier = 'tekun')
  AND g.id NOT IN (SELECT id FROM gift WHERE running AND code = 'tekun')
GROUP BY g.id, g.code
HAVING count(g.fen) = count(*) AND sum(g.fen) < 60000 * 1.3;

-- R38: 特困 ended within 90 days, and in no tier now.
INSERT INTO expected
SELECT 'R38', e.id, e.entry_id, 'yellow', 'civil', 'alert', NULL
FROM entry e
WHERE e.tier = 'tekun' AND e.status = 'exited' AND NOT e.in_force AND e.days_out <= 90
  AND e.id NOT IN (SELECT id FROM tier_now) AND e.id NOT IN (SELECT id FROM dead);

-- R30T: a taper that ends within 30 days or has ended, unless the person was reviewed in the 30 days before its end.
INSERT INTO expected
SELECT 'R30T', e.id, e.entry_id, 'yellow', 'civil', 'alert', NULL
FROM entry e CROSS JOIN clock
WHERE e.in_force AND e.id NOT IN (SELECT id FROM dead) AND e.taper_until - today <= 30
  AND (e.verify_date IS NULL OR e.taper_until - e.verify_date > 30);

-- R30V: not reviewed for a year; for half a year in class C, and without a class in two of the tiers. Without any day
-- of review nobody can say.
INSERT INTO expected
SELECT 'R30V', e.id, e.entry_id, 'yellow', 'civil', 'alert', NULL
FROM entry e CROSS JOIN clock
WHERE e.in_force AND e.id NOT IN (SELECT id FROM dead)
  AND today - e.verify_date >= CASE WHEN e.class = 'C' THEN 183 WHEN e.class IN ('A', 'B') THEN 365
                                    WHEN e.tier IN ('gangxing', 'jiance') THEN 183 ELSE 365 END;

-- R34, R42: in custody or gone from the county, and something is still paid or the roster still lists the person.
INSERT INTO expected
SELECT CASE h.event WHEN '收押' THEN 'R34' ELSE 'R42' END, h.id, h.record_no,
       CASE h.event WHEN '收押' THEN 'red' ELSE 'yellow' END, 'civil', 'alert', NULL
FROM happened h
WHERE h.event IN ('收押', '迁出') AND h.id NOT IN (SELECT id FROM dead)
  AND (h.id IN (SELECT id FROM gift WHERE running AND code IN ('dibao', 'tekun', 'living_subsidy', 'care_subsidy'))
    OR h.id IN (SELECT id FROM tier_now));

-- R35: an accident or a disaster within 30 days, and no aid on its day or since.
INSERT INTO expected
SELECT 'R35', h.id, h.record_no, CASE WHEN t.tier IS NULL THEN 'orange' ELSE 'red' END, 'civil', 'alert', NULL
FROM happened h LEFT JOIN tier_now t USING (id)
WHERE h.event IN ('交通事故', '安全事故', '受灾') AND h.days_ago <= 30 AND h.id NOT IN (SELECT id FROM dead)
  AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.id = h.id AND g.code IN ('temporary_aid', 'medical_aid')
                  AND g.status <> 'stopped' AND g.granted_on >= h.event_on);

-- The tier of living guardians, whom an enrolment or a certificate names, in whatever household.
CREATE OR REPLACE TABLE guarded AS
SELECT w.id, arg_min(t.tier, p.place) AS tier
FROM (SELECT certno, guardian_certno FROM student WHERE NOT deleted
      UNION SELECT certno, guardian_certno FROM disabled_card) n
JOIN spelling w ON w.raw = n.certno AND w.id IS NOT NULL
JOIN spelling g ON g.raw = n.guardian_certno AND g.id IS NOT NULL AND g.id NOT IN (SELECT id FROM dead)
JOIN tier_now t ON t.id = g.id JOIN precedence p ON p.tier = t.tier
GROUP BY w.id;

-- R19-R22: at school: aid by tier, a first year at university, absence, the subsidy for vocational schools.
CREATE OR REPLACE TABLE at_school AS
SELECT s.id, t.*, coalesce(n.tier, '') AS tier, coalesce(k.tier, '') AS kin, today - t.enrol_date AS days,
       t.status IN ('enrolled', 'suspended') AND t.enrol_date <= today AND (t.end_date IS NULL OR t.end_date > today) AS goes
FROM student t CROSS JOIN clock JOIN spelling s ON s.raw = t.certno AND s.id IS NOT NULL LEFT JOIN tier_now n ON n.id = s.id
LEFT JOIN guarded k ON k.id = s.id
WHERE NOT t.deleted AND s.id NOT IN (SELECT id FROM dead);
INSERT INTO expected
SELECT 'R19', id, student_no, 'yellow', 'education', 'task', NULL FROM at_school
WHERE goes AND tier || kin <> '' AND NOT coalesce(student_aid, false);
INSERT INTO expected
SELECT 'R20', id, student_no, 'yellow', 'civil', 'alert', NULL FROM at_school a
WHERE goes AND stage = 'higher' AND tier IN ('dibao', 'bianyuan') AND days <= 90
  AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.id = a.id AND g.code = 'temporary_aid' AND g.status <> 'stopped'
                  AND g.granted_on >= a.enrol_date);
INSERT INTO expected
SELECT 'R21', id, student_no, 'red', 'civil', 'alert', NULL FROM at_school
WHERE stage IN ('primary', 'junior') AND tier || kin <> '' AND (status = 'left' OR (status = 'enrolled' AND absent_days > 5));
INSERT INTO expected
SELECT 'R22', id, student_no, 'yellow', 'education', 'task', NULL FROM at_school
WHERE goes AND stage = 'vocational' AND 'jiance' IN (tier, kin) AND NOT coalesce(yulu, false);

-- R18: a child from 6 to 15 with a certificate, and at no school.
INSERT INTO expected
SELECT 'R18', c.id, c.card_no, 'yellow', 'education', 'task', NULL
FROM valid_card c CROSS JOIN clock
WHERE years(c.id, today) BETWEEN 6 AND 15 AND c.id NOT IN (SELECT id FROM at_school WHERE goes)
  AND c.id NOT IN (SELECT id FROM dead);

-- R36: turned 16 or 18 in 特困 (16: and at no school), or 60 on the roster otherwise, at most 60 days ago.
INSERT INTO expected
SELECT 'R36', t.id, years(t.id, today)::VARCHAR, 'yellow', 'civil', 'alert', NULL
FROM tier_now t CROSS JOIN clock
WHERE years(t.id, today - 61) < years(t.id, today) AND t.id NOT IN (SELECT id FROM dead)
  AND CASE years(t.id, today) WHEN 16 THEN t.tier = 'tekun' AND t.id NOT IN (SELECT id FROM at_school WHERE goes)
      WHEN 18 THEN t.tier = 'tekun' WHEN 60 THEN t.tier <> 'tekun' ELSE false END;

-- R27, R29-R31: out of work and able, refusals, a new wage, three to six months without work.
CREATE OR REPLACE TABLE at_work AS
SELECT s.id, j.* REPLACE (coalesce(j.able, false) AS able), round(j.wage::DECIMAL(18, 2) * 100)::BIGINT AS fen,
       coalesce(n.tier, '') AS tier, today - j.since_date AS days,
       s.id IN (SELECT id FROM entry WHERE in_force AND entry.tier = 'dibao') AS dibao
FROM job_status j CROSS JOIN clock JOIN spelling s ON s.raw = j.certno AND s.id IS NOT NULL
LEFT JOIN tier_now n ON n.id = s.id
WHERE NOT j.deleted AND s.id NOT IN (SELECT id FROM dead);
INSERT INTO expected
SELECT 'R27', id, reg_no, 'yellow', 'employment', 'task', NULL FROM at_work
WHERE able AND status = 'unemployed' AND dibao AND NOT coalesce(help_date >= since_date, false);
INSERT INTO expected
SELECT 'R29', id, reg_no, 'orange', 'civil', 'alert', NULL FROM at_work
WHERE able AND status = 'unemployed' AND dibao AND refusals >= 3;
INSERT INTO expected
SELECT 'R30', id, reg_no, 'yellow', 'civil', 'alert', NULL FROM at_work
WHERE status = 'employed' AND dibao AND fen > 60000 AND days <= 90;
INSERT INTO expected
SELECT 'R31', id, reg_no, 'orange', 'civil', 'alert', NULL FROM at_work w
WHERE able AND status = 'unemployed' AND days BETWEEN 90 AND 180 AND id IN (SELECT id FROM known_to_civil_affairs)
  AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.id = w.id AND g.code = 'temporary_aid' AND g.status <> 'stopped'
                  AND g.granted_on >= w.since_date);

-- R31C: contributions that go with work (not 170, paid once a year as a resident) not paid for 90 to 180 days since the
-- first month without, by no relation; nobody retired, and nobody whom R31 has had since. Of two relations paid as long
-- the one with the greater number stands for both; of a relation without a last month nobody knows whether it is paid.
CREATE OR REPLACE TABLE paying AS
SELECT s.id, r.relation_no, r.stop_reason, strptime(r.last_month || '01', '%Y%m%d')::DATE AS last_paid
FROM insured_relation r JOIN spelling s ON s.raw = r.certno AND s.id IS NOT NULL
WHERE NOT r.deleted AND r.insurance_code IN ('110', '120', '210', '410');
INSERT INTO expected
WITH ended AS (
    SELECT *, (last_paid + INTERVAL 1 MONTH)::DATE AS gap_from FROM paying
    WHERE last_paid IS NOT NULL AND id NOT IN (SELECT id FROM paying WHERE last_paid IS NULL)
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY last_paid DESC, relation_no DESC) = 1
)
SELECT 'R31C', e.id, e.relation_no, 'yellow', 'civil', 'alert', NULL FROM ended e CROSS JOIN clock
WHERE today - gap_from BETWEEN 90 AND 180 AND years(e.id, today) BETWEEN 16 AND 59
  AND e.id IN (SELECT id FROM entry) AND e.id NOT IN (SELECT id FROM dead)
  AND e.id NOT IN (SELECT id FROM paying WHERE stop_reason = '退休')
  AND NOT EXISTS (SELECT 1 FROM at_work w WHERE w.id = e.id AND able AND status = 'unemployed'
                  AND since_date >= last_paid AND days >= 90)
  AND NOT EXISTS (SELECT 1 FROM gift g WHERE g.id = e.id AND g.code = 'temporary_aid' AND g.status <> 'stopped'
                  AND g.granted_on >= gap_from);

-- R23, R24: houses of five tiers: dangerous, or to be watched.
CREATE OR REPLACE TABLE homestead AS
SELECT s.id, h.*, year(today) - h.built_year AS age
FROM house_appraisal h CROSS JOIN clock JOIN spelling s ON s.raw = h.certno AND s.id IS NOT NULL
JOIN tier_now n ON n.id = s.id
WHERE NOT h.deleted AND n.tier IN ('tekun', 'dibao', 'bianyuan', 'gangxing', 'jiance')
  AND s.id NOT IN (SELECT id FROM dead) AND NOT coalesce(h.repair_date >= h.appraise_date, false);
INSERT INTO expected
SELECT 'R23', id, appraisal_no, 'orange', 'housing', 'task', NULL FROM homestead WHERE grade IN ('C', 'D');
INSERT INTO expected
SELECT 'R24', id, appraisal_no, 'yellow', 'civil', 'alert', NULL FROM homestead
WHERE grade = 'B' OR (grade = 'A' AND age > 30);

-- R25: 低保 and 特困 without a home, or with less than 13 square metres a head, whom no registration shows as supported.
CREATE OR REPLACE TABLE lodging AS
SELECT s.id, t.reg_no, t.tenure, t.area_per_head::DECIMAL(8, 2) AS area,
       t.support <> '无' AND t.support_from <= today AND (t.support_until IS NULL OR t.support_until > today) AS supported
FROM tenancy t CROSS JOIN clock JOIN spelling s ON s.raw = t.certno AND s.id IS NOT NULL
WHERE NOT t.deleted;
INSERT INTO expected
SELECT 'R25', l.id, l.reg_no, 'yellow', 'housing', 'task', NULL
FROM lodging l JOIN tier_now n USING (id)
WHERE n.tier IN ('tekun', 'dibao') AND (l.tenure = '无房' OR l.area < 13)
  AND l.id NOT IN (SELECT id FROM lodging WHERE supported) AND l.id NOT IN (SELECT id FROM dead);

-- R45: unsafe water of somebody in any tier, and no repair or better appraisal on that day or since.
CREATE OR REPLACE TABLE water AS
SELECT s.id, w.* FROM water_supply w JOIN spelling s ON s.raw = w.certno AND s.id IS NOT NULL WHERE NOT w.deleted;
INSERT INTO expected
SELECT 'R45', w.id, w.supply_no, 'orange', 'water', 'task', NULL
FROM water w
WHERE w.grade = '不安全' AND w.id IN (SELECT id FROM tier_now) AND w.id NOT IN (SELECT id FROM dead)
  AND NOT EXISTS (SELECT 1 FROM water o WHERE o.id = w.id AND (o.repair_date >= w.assess_date
                  OR (o.grade <> '不安全' AND o.assess_date >= w.assess_date)));

-- R46: 低保, able to work by registration, or by age and certificate, whose newest answer is yes, and no support runs.
INSERT INTO expected
WITH told AS (
    SELECT s.id, i.* FROM industry_support i JOIN spelling s ON s.raw = i.certno AND s.id IS NOT NULL WHERE NOT i.deleted
), answer AS (
    SELECT id, willing FROM told WHERE willing IS NOT NULL AND ask_date IS NOT NULL
    QUALIFY row_number() OVER (PARTITION BY id ORDER BY ask_date DESC, reg_no DESC) = 1
)
SELECT 'R46', a.id, 'industry', 'yellow', 'agriculture', 'task', NULL
FROM answer a CROSS JOIN clock
WHERE a.willing AND a.id IN (SELECT id FROM entry WHERE in_force AND tier = 'dibao') AND a.id NOT IN (SELECT id FROM dead)
  AND (a.id IN (SELECT id FROM at_work WHERE able)
    OR (years(a.id, today) BETWEEN 16 AND 59 AND a.id NOT IN (SELECT id FROM valid_card
        WHERE (category IN (5, 6) AND grade <= 3) OR (category = 4 AND grade <= 2) OR (category = 1 AND grade = 1))))
  AND a.id NOT IN (SELECT id FROM told WHERE kind <> '无' AND start_date <= today AND (end_date IS NULL OR end_date > today));

-- R28, R33: a 低保 household with somebody able to work and nobody in work; the head of one on the roster died.
INSERT INTO expected
SELECT 'R28', household_no, 'work', 'orange', 'civil', 'alert', NULL
FROM home JOIN house_tier t USING (household_no) JOIN at_work w USING (id)
WHERE t.tier = 'dibao'
GROUP BY household_no HAVING bool_or(w.able) AND NOT bool_or(w.status = 'employed');
INSERT INTO expected
SELECT DISTINCT 'R33', h.household_no, d.event_on::VARCHAR, 'orange', 'civil', 'alert', NULL::BIGINT
FROM home h JOIN (SELECT id, min(event_on) AS event_on FROM dead GROUP BY id) d USING (id)
JOIN house_tier USING (household_no) CROSS JOIN clock
WHERE h.head AND today - d.event_on <= 180;

-- R26, R39: what a check with an authorisation says of those on the roster, and of those who are not.
CREATE OR REPLACE TABLE checked AS
SELECT s.id, c.*, round(c.income_month::DECIMAL(18, 2) * 100)::BIGINT AS fen, coalesce(n.tier, '') AS tier
FROM means_check c CROSS JOIN clock JOIN spelling s ON s.raw = c.id_number AND s.id IS NOT NULL
LEFT JOIN tier_now n ON n.id = s.id
WHERE NOT c.deleted AND c.auth_no IS NOT NULL AND today - c.checked_on <= 180 AND s.id NOT IN (SELECT id FROM dead);
INSERT INTO expected
SELECT 'R26', id, check_id, 'orange', 'civil', 'alert', NULL FROM checked
WHERE finding <> 'none' AND tier IN ('dibao', 'bianyuan');
INSERT INTO expected
SELECT 'R39', id, check_id, 'yellow', 'civil', 'alert', NULL FROM checked
WHERE tier = '' AND assets_ok AND fen < 90000;

-- R08, R40: what a household paid in the twelve months up to today, beside the newest check made since its
-- member belongs to it: half of its income for medical care within the policy, or three fifths for medical care
-- and schooling. The income of all residents per head was 41,314 yuan in 2024. Where two checks of one day differ,
-- the one with the higher income counts, and before it one that does not say.
CREATE OR REPLACE TABLE verified AS
SELECT household_no, checked_on, assets_ok, round(income_month::DECIMAL(18, 2) * 100)::BIGINT AS fen_per_head,
       round(education_year::DECIMAL(18, 2) * 100)::BIGINT AS schooling
FROM means_check c JOIN spelling s ON s.raw = c.id_number AND s.id IS NOT NULL JOIN home h ON h.id = s.id
WHERE NOT c.deleted AND c.auth_no IS NOT NULL AND (h.joined_on IS NULL OR h.joined_on <= c.checked_on)
QUALIFY row_number() OVER (PARTITION BY household_no ORDER BY checked_on DESC, fen_per_head DESC NULLS FIRST,
                           assets_ok DESC NULLS FIRST, schooling DESC NULLS FIRST) = 1;
CREATE OR REPLACE TABLE budget AS
WITH belongs AS (SELECT DISTINCT id, household_no FROM home),
living AS (SELECT household_no, count(*) AS heads FROM belongs WHERE id NOT IN (SELECT id FROM dead) GROUP BY household_no),
helped AS (
    SELECT household_no, max(granted_on) AS helped_on FROM belongs JOIN gift USING (id)
    WHERE code = 'medical_aid' AND status <> 'stopped' GROUP BY household_no),
cost AS (
    SELECT household_no, sum(fen) AS fen, sum(fen_in_policy) AS fen_in_policy,
           sum(fen_in_policy) FILTER (WHERE local_day <= helped_on) AS fen_helped
    FROM belongs JOIN bill USING (id) LEFT JOIN helped USING (household_no) CROSS JOIN clock
    WHERE local_day > today - INTERVAL 12 MONTH AND local_day <= today GROUP BY household_no)
SELECT household_no, heads, coalesce(tier, '') AS tier, fen_per_head * 12 AS per_head, fen_per_head * 12 * heads AS income,
       coalesce(fen, 0) + coalesce(schooling, 0) AS fen, coalesce(fen_in_policy, 0) AS fen_in_policy,
       coalesce(fen_helped, 0) AS fen_helped
FROM verified JOIN living USING (household_no) CROSS JOIN clock
LEFT JOIN house_tier USING (household_no) LEFT JOIN cost USING (household_no)
WHERE assets_ok AND today - checked_on <= 180;
INSERT INTO expected
SELECT 'R08', household_no, 'means', 'orange', 'civil', 'alert', NULL FROM budget
WHERE tier IN ('', 'gangxing', 'jiance', 'qita') AND fen_in_policy > 0 AND fen_in_policy * 2 >= income
  AND income - fen_in_policy < 4131400 * heads AND NOT (fen_helped > 0 AND fen_helped * 2 >= income);
INSERT INTO expected
SELECT 'R40', household_no, 'means', 'yellow', 'civil', 'alert', NULL FROM budget
WHERE tier IN ('', 'jiance', 'qita') AND fen > 0 AND per_head < 4131400 AND fen * 5 >= income * 3;

-- R17: nobody in the house can work, by age, certificate or registration, and the check that counts for R08 finds
-- less than the line of 600 yuan and no assets beyond the limits.
CREATE OR REPLACE TABLE quiet AS
WITH soul AS (
    SELECT DISTINCT household_no, id, years(id, today) AS age FROM home CROSS JOIN clock
    WHERE id NOT IN (SELECT id FROM dead)
)
SELECT household_no, bool_or(id IN (SELECT id FROM valid_card WHERE grade <= 2)) AS severe FROM soul
GROUP BY household_no
HAVING bool_and((age < 16 OR age >= 60 OR id IN (SELECT id FROM valid_card
                 WHERE (category IN (5, 6) AND grade <= 3) OR (category = 4 AND grade <= 2) OR (category = 1 AND grade = 1)))
                AND id NOT IN (SELECT id FROM at_work WHERE able));
INSERT INTO expected
SELECT 'R17', household_no, 'means', 'orange', 'civil', 'alert', NULL
FROM quiet JOIN verified USING (household_no) CROSS JOIN clock LEFT JOIN house_tier t USING (household_no)
WHERE fen_per_head < 60000 AND assets_ok AND today - checked_on <= 180 AND coalesce(t.tier, '') <> 'tekun';

-- R47, R48: the means are not known, by that same check: no result within 180 days, none put in for 60 that is still to
-- come, and no member's application for the house open for 70 days at most. R47: twelve months' bills beyond the line of H01, in no tier or one of two. R48: R17 but for the
-- means, with somebody severely disabled.
CREATE OR REPLACE TABLE means_known AS
SELECT household_no FROM verified CROSS JOIN clock
WHERE today - checked_on <= CASE WHEN fen_per_head IS NULL OR assets_ok IS NULL THEN 60 ELSE 180 END
UNION
SELECT household_no FROM asked_for_aid JOIN home USING (id, household_no)
WHERE state IN ('受理', '核对', '公示') AND days_ago <= 70;
INSERT INTO expected
SELECT 'R47', household_no, 'means', 'yellow', 'civil', 'alert', NULL
FROM (SELECT DISTINCT id, household_no FROM home) JOIN bill USING (id) CROSS JOIN clock
LEFT JOIN house_tier USING (household_no)
WHERE local_day > today - INTERVAL 12 MONTH AND local_day <= today
  AND household_no IN (SELECT household_no FROM home WHERE id NOT IN (SELECT id FROM dead))
  AND household_no NOT IN (SELECT household_no FROM means_known)
GROUP BY household_no, tier
HAVING sum(fen) > CASE coalesce(tier, '') WHEN '' THEN 2500000 WHEN 'jiance' THEN 1500000 WHEN 'qita' THEN 1500000 END;
INSERT INTO expected
SELECT 'R48', household_no, 'means', 'yellow', 'civil', 'alert', NULL
FROM quiet LEFT JOIN house_tier USING (household_no)
WHERE severe AND coalesce(tier, '') <> 'tekun' AND household_no NOT IN (SELECT household_no FROM means_known);

---------------------------------------------------------------- records nobody can be found for
CREATE OR REPLACE TABLE unidentified AS
SELECT 'medical.settlement' AS topic, setl_id AS record FROM setl_d JOIN spelling ON raw IS NOT DISTINCT FROM certno WHERE id IS NULL
UNION ALL SELECT 'medical.insurance', psn_no FROM psn_insu_d JOIN spelling ON raw IS NOT DISTINCT FROM certno WHERE id IS NULL
UNION ALL SELECT 'disability.card', card_no FROM disabled_card JOIN spelling ON raw IS NOT DISTINCT FROM certno WHERE id IS NULL
UNION ALL SELECT 'civil.roster', entry_id FROM low_income_member JOIN spelling ON raw IS NOT DISTINCT FROM id_number
    WHERE id IS NULL AND NOT coalesce(deleted, false)
UNION ALL SELECT 'civil.household', member_id FROM household_member JOIN spelling ON raw IS NOT DISTINCT FROM id_number
    WHERE id IS NULL AND NOT coalesce(deleted, false)
UNION ALL SELECT 'civil.benefit', benefit_id FROM benefit JOIN spelling ON raw IS NOT DISTINCT FROM id_number
    WHERE id IS NULL AND NOT coalesce(deleted, false)
UNION ALL SELECT 'vital.life_event', record_no FROM last_word JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND event NOT IN ('撤销', '死亡撤销')
UNION ALL SELECT 'civil.check', check_id FROM means_check JOIN spelling ON raw IS NOT DISTINCT FROM id_number
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'civil.application', apply_no FROM aid_application JOIN spelling ON raw IS NOT DISTINCT FROM id_number
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'education.enrolment', student_no FROM student JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'employment.status', reg_no FROM job_status JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'employment.contribution', relation_no FROM insured_relation JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'housing.appraisal', appraisal_no FROM house_appraisal JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'housing.tenancy', reg_no FROM tenancy JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'water.supply', supply_no FROM water_supply JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted
UNION ALL SELECT 'agriculture.support', reg_no FROM industry_support JOIN spelling ON raw IS NOT DISTINCT FROM certno
    WHERE id IS NULL AND NOT deleted;
