// Canned cases for development and unit tests: a made-up county (prefix 990101), no real person.
import type { CaseDetail, CaseKind, Condition, Level, Outcome } from '../src/api'

export const divisions: Record<string, string> = {
  '990101': '示例县',
  '990101001': '青石镇',
  '990101001201': '柳林村',
  '990101001202': '上河村',
  '990101002': '云台乡',
  '990101002201': '双桥村',
  '990101002202': '石门村',
}

export const alertOutcomes: Outcome[] = [
  { code: 'needs_aid', label_zh: '属实需救助', label_en: 'True, needs aid' },
  { code: 'covered', label_zh: '属实已保障', label_en: 'True, already covered' },
  { code: 'not_true', label_zh: '不属实', label_en: 'Not true' },
  { code: 'mismatch', label_zh: '人户不符', label_en: 'Person and household do not match' },
  { code: 'unreachable', label_zh: '无法联系', label_en: 'Cannot be reached' },
  { code: 'data_error', label_zh: '数据错误', label_en: 'Data error' },
]

export const taskOutcomes: Outcome[] = [
  { code: 'done', label_zh: '已落实', label_en: 'Done' },
  { code: 'already_received', label_zh: '已享受', label_en: 'Received already' },
  { code: 'not_eligible', label_zh: '不符合', label_en: 'Not eligible' },
  { code: 'declined', label_zh: '本人放弃', label_en: 'Declined' },
  { code: 'unreachable', label_zh: '无法联系', label_en: 'Cannot be reached' },
  { code: 'data_error', label_zh: '数据错误', label_en: 'Data error' },
]

interface Shape {
  rule: string
  kind: CaseKind
  ruleClass: string
  department: string
  level: Level
  tier: string
  subject: string
  title: [string, string]
  headline: [string, string]
  sentence: [string, string]
  facts: [string, string, string, string][]
  threshold?: [string, string, string, string, string]
  legal: [string, string, string]
  topics: string[]
}

const assistance: [string, string, string] = [
  '社会救助暂行办法第四十七条：对因火灾、交通事故等意外事件，家庭成员突发重大疾病等原因，导致基本生活暂时出现严重困难的家庭，给予临时救助。',
  'Interim Measures for Social Assistance, art. 47: temporary aid for families in sudden serious difficulty.',
  '国务院令第649号（2019年修订）',
]

export const shapes: Shape[] = [
  {
    rule: 'R02',
    kind: 'alert',
    ruleClass: 'entry',
    department: 'civil',
    level: 'orange',
    tier: 'dibao',
    subject: 'person',
    title: ['低保对象年度自付医疗费过高', 'High yearly medical self-pay of a dibao member'],
    headline: ['低保对象今年自付医疗费 8,320.50 元', 'Dibao member, medical self-pay this year ¥8,320.50'],
    sentence: [
      '此人是低保对象，今年个人自付医疗费合计 8,320.50 元，超过当地标准 5,000 元，今年尚未得到临时救助或医疗救助。',
      'This person receives dibao; this year’s medical self-pay of ¥8,320.50 is above the local ¥5,000, and no temporary or medical aid has been granted this year.',
    ],
    facts: [
      ['self_pay_fen', '今年个人自付（已扣除退费）', 'Self-pay this year (net of reversals)', '8,320.50 元'],
      ['tier', '人员类别', 'Category', '低保对象'],
      ['settlements', '结算笔数', 'Settlements', '7 笔'],
      ['aid_on', '今年已获救助', 'Aid this year', '无'],
    ],
    threshold: [
      'medical_self_pay',
      '低保对象年度自付标准',
      'Yearly self-pay, dibao',
      '5,000 元',
      '铜陵市公开做法',
    ],
    legal: assistance,
    topics: ['medical.settlement', 'civil.roster', 'civil.benefit'],
  },
  {
    rule: 'R32',
    kind: 'alert',
    ruleClass: 'exclusion',
    department: 'civil',
    level: 'red',
    tier: 'dibao',
    subject: 'person',
    title: ['在保人员死亡', 'Death of a beneficiary'],
    headline: ['死亡登记后仍在发放低保金', 'Dibao still being paid after a registered death'],
    sentence: [
      '死亡登记日期为 11月3日，但低保待遇今天仍在发放。请核实后从次月起停发。',
      'A death is registered on 3 November, but dibao is still active today. Please check and stop it from next month.',
    ],
    facts: [
      ['event_on', '死亡登记日期', 'Death registered on', '2026-11-03'],
      ['benefits', '仍在发放的待遇', 'Benefits still active', '低保金'],
    ],
    legal: [
      '死亡后从次月起停发待遇。',
      'Benefits stop from the month after death.',
      '最低生活保障审核确认办法',
    ],
    topics: ['vital.life_event', 'civil.benefit'],
  },
  {
    rule: 'H01',
    kind: 'alert',
    ruleClass: 'entry',
    department: 'civil',
    level: 'orange',
    tier: 'bianyuan',
    subject: 'household',
    title: ['家庭年度自付医疗费过高', 'High yearly self-pay of a household'],
    headline: ['边缘家庭全年自付 18,460 元', 'Near-dibao household, ¥18,460 self-pay this year'],
    sentence: [
      '这一家 4 口人今年自付医疗费合计 18,460.00 元，超过低保边缘家庭标准 15,000 元。',
      'The four members of this household paid ¥18,460.00 themselves this year, above ¥15,000 for near-dibao families.',
    ],
    facts: [
      ['household_self_pay_fen', '全家今年自付合计', 'Household self-pay this year', '18,460.00 元'],
      ['members', '家庭人数', 'Members', '4 人'],
      ['tier', '家庭类别', 'Category', '低保边缘家庭'],
    ],
    threshold: [
      'household_self_pay',
      '家庭年度自付标准',
      'Yearly household self-pay',
      '15,000 元',
      '产品默认值',
    ],
    legal: assistance,
    topics: ['medical.settlement', 'medical.settlement', 'civil.household'],
  },
  {
    rule: 'R04',
    kind: 'alert',
    ruleClass: 'entry',
    department: 'civil',
    level: 'yellow',
    tier: '',
    subject: 'person',
    title: ['不在库人员年度自付医疗费过高', 'High yearly self-pay of a person not on the roster'],
    headline: ['不在库人员今年自付 15,980 元', 'Person not on the roster, ¥15,980 self-pay this year'],
    sentence: [
      '此人不在低收入人口库，今年自付医疗费 15,980.00 元，超过 15,000 元，可能需要救助。',
      'This person is not on the roster; self-pay of ¥15,980.00 this year is above ¥15,000 and help may be needed.',
    ],
    facts: [['self_pay_fen', '今年个人自付', 'Self-pay this year', '15,980.00 元']],
    threshold: ['medical_self_pay', '不在库人员标准', 'Not on the roster', '15,000 元', '铜陵市公开做法'],
    legal: assistance,
    topics: ['medical.settlement'],
  },
  {
    rule: 'R09',
    kind: 'task',
    ruleClass: 'entitlement',
    department: 'medical',
    level: 'yellow',
    tier: 'dibao',
    subject: 'person',
    title: ['医保身份标识与参保资助', 'Mark insurance identity and subsidise the premium'],
    headline: ['新纳入低保，医保尚未标识身份', 'New on dibao, not yet marked by medical insurance'],
    sentence: [
      '此人 11月1日纳入低保，医保系统尚无对应身份标识。请标识身份并落实参保资助。',
      'On dibao since 1 November, but medical insurance has no matching mark. Please mark the identity and subsidise the premium.',
    ],
    facts: [['start_on', '纳入日期', 'On the roster since', '2026-11-01']],
    legal: ['医保办函〔2024〕99号', 'Medical insurance office letter (2024) 99', '医保办函〔2024〕99号'],
    topics: ['civil.roster', 'medical.insurance'],
  },
  {
    rule: 'R13',
    kind: 'task',
    ruleClass: 'entitlement',
    department: 'civil',
    level: 'yellow',
    tier: '',
    subject: 'person',
    title: ['重度残疾人护理补贴', 'Care subsidy for severe disability'],
    headline: ['一级残疾，尚未享受护理补贴', 'Disability grade 1, no care subsidy yet'],
    sentence: [
      '此人持有一级残疾证，尚未享受重度残疾人护理补贴。',
      'This person holds a grade 1 disability card and does not receive the care subsidy.',
    ],
    facts: [['grade', '残疾等级', 'Grade', '一级']],
    legal: ['国发〔2015〕52号', 'State Council (2015) 52', '国发〔2015〕52号'],
    topics: ['disability.card'],
  },
]

function conditionOf(shape: Shape, opened: Date): Condition {
  const day = opened.toISOString().slice(0, 10)
  return {
    condition_id: `${shape.rule}-${day}`,
    rule: shape.rule,
    rule_version: 1,
    title_zh: shape.title[0],
    title_en: shape.title[1],
    state: 'standing',
    cause: '',
    level: shape.level,
    step: 1,
    tier: shape.tier,
    episode: day.slice(0, 4),
    as_of: day,
    facts: shape.facts.map(([name, label_zh, label_en, text]) => ({
      name,
      label_zh,
      label_en,
      value: text,
      text,
    })),
    thresholds: shape.threshold
      ? [
          {
            name: shape.threshold[0],
            label_zh: shape.threshold[1],
            label_en: shape.threshold[2],
            value: shape.threshold[3],
            text: shape.threshold[3],
            from: '2024-01-01',
            region: '',
            source: shape.threshold[4],
          },
        ]
      : [],
    legal: [{ text_zh: shape.legal[0], text_en: shape.legal[1], ref: shape.legal[2] }],
    records: shape.topics.map((topic, index) => ({
      topic,
      partition: index % 4,
      offset: 18_230 + index * 977,
      record_id: `9901${shape.rule}${(4_711 + index * 13).toString(36).toUpperCase()}`,
    })),
    sentence_zh: shape.sentence[0],
    sentence_en: shape.sentence[1],
  }
}

/** The n-th canned case, opened the given number of minutes before now. */
export function makeCase(n: number, shape: Shape, minutes: number, dueInDays: number | null): CaseDetail {
  const opened = new Date(Date.now() - minutes * 60_000)
  const due = dueInDays === null ? null : new Date(Date.now() + dueInDays * 86_400_000)
  const villages = Object.keys(divisions).filter((code) => code.length === 12)
  return {
    id: `${'abcdefghijklmnopqrstuvwxyz'[n % 26]}${n.toString(36)}`.padEnd(26, 'q7m2'),
    version: 1,
    kind: shape.kind,
    state: 'open',
    level: shape.level,
    rule_class: shape.ruleClass,
    department: shape.department,
    division: villages[n % villages.length] ?? '',
    rules: [{ id: shape.rule, title_zh: shape.title[0], title_en: shape.title[1] }],
    subject_kind: shape.subject,
    opened_at: opened.toISOString(),
    updated_at: opened.toISOString(),
    due_on: due?.toISOString().slice(0, 10) ?? null,
    overdue: dueInDays !== null && dueInDays < 0,
    baseline: n % 9 === 8,
    signed_by: '',
    outcome: '',
    headline_zh: shape.headline[0],
    headline_en: shape.headline[1],
    conditions: [conditionOf(shape, opened)],
    sheet: false,
    outcomes: shape.kind === 'alert' ? alertOutcomes : taskOutcomes,
    actions: ['sign', 'close'],
  }
}
