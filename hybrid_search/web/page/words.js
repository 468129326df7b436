// The interface in English and Korean. {names} are filled in.
const WORDS = {
  title: ["hybrid_search", "hybrid_search"],
  search: ["Search", "검색"],
  search_label: ["Words, \"exact phrase\", or a picture", "검색어, \"정확한 문구\" 또는 그림"],
  search_hint: ["Words, \"exact phrase\", +must, -not, brand:name", "검색어, \"정확한 문구\", +필수, -제외, brand:이름"],
  picture: ["Picture", "그림"],
  drop_here: ["Drop the picture to search by it", "그림을 놓으면 그림으로 검색합니다"],
  skip: ["Skip to results", "결과로 건너뛰기"],
  filters: ["Filters", "필터"],
  ranking: ["Ranking", "순위 조정"],
  add: ["Add ads", "광고 추가"],
  index: ["Index", "색인"],
  back_to_search: ["Search", "검색"],
  language: ["한국어", "English"],
  sign_in: ["Sign in", "로그인"],
  sign_out: ["Sign out ({name})", "로그아웃 ({name})"],
  api_key: ["API key", "API 키"],
  key_needed: ["This service asks for a key.", "이 서비스는 키가 필요합니다."],
  newest: ["Newest ads", "최근 광고"],
  results: ["{count} ads", "광고 {count}개"],
  result: ["1 ad", "광고 1개"],
  took: ["{ms} ms", "{ms} ms"],
  nothing: ["Nothing found", "찾은 광고가 없습니다"],
  nothing_hint: ["Try other words, a picture, or fewer filters.", "다른 검색어나 그림으로 찾아보거나 필터를 줄여 보세요."],
  no_match: ["No good match", "꼭 맞는 광고가 없습니다"],
  no_match_hint: ["Nothing stands out from what is found by chance. These are the nearest.", "우연히 찾은 것보다 뚜렷하게 나은 결과가 없습니다. 가장 가까운 광고를 보여 드립니다."],
  no_phrase: ["No ad contains the quoted phrase. These are near it.", "따옴표 안의 문구가 그대로 들어 있는 광고는 없습니다. 비슷한 광고를 보여 드립니다."],
  meant: ["Did you mean", "혹시 이것을 찾으셨나요?"],
  failed: ["That did not work", "처리하지 못했습니다"],
  retry: ["Try again", "다시 시도"],
  offline: ["The service does not answer.", "서비스가 응답하지 않습니다."],
  more: ["More", "더 보기"],
  end: ["That is all.", "모두 보았습니다."],
  clear_filters: ["Clear all filters", "필터 모두 지우기"],
  remove: ["Remove {what}", "{what} 지우기"],
  show_all: ["All {count}", "{count}개 모두"],
  show_fewer: ["Fewer", "간단히"],
  sort: ["Order", "정렬"],
  sort_relevance: ["Best match", "관련도순"],
  sort_newest: ["Latest start", "최근 시작순"],
  sort_oldest: ["Earliest start", "오래된 시작순"],
  sort_updated: ["Latest change", "최근 수정순"],
  mode: ["Search by", "검색 방식"],
  mode_hybrid: ["Words and meaning", "단어와 의미"],
  mode_text: ["Words only", "단어만"],
  mode_vector: ["Meaning only", "의미만"],
  running: ["Running between", "집행 기간"],
  from: ["From", "시작"],
  until: ["Until", "끝"],
  least_width: ["At least as wide", "최소 너비"],
  any: ["Any", "상관없음"],
  pixels: ["{count} px", "{count} px"],
  f_brand: ["Brand", "브랜드"],
  f_campaign: ["Campaign", "캠페인"],
  f_tags: ["Tags", "태그"],
  f_language: ["Language", "언어"],
  f_orientation: ["Orientation", "방향"],
  f_source: ["Source", "출처"],
  f_format: ["Format", "형식"],
  f_channel: ["Channel", "채널"],
  f_active: ["Active", "집행 중"],
  f_title: ["Title", "제목"],
  f_body: ["Copy", "본문"],
  f_starts: ["Starts", "시작일"],
  f_ends: ["Ends", "종료일"],
  f_id: ["Id", "ID"],
  f_picture: ["Picture", "그림"],
  f_updated: ["Stored", "저장됨"],
  v_square: ["square", "정사각형"],
  v_landscape: ["landscape", "가로"],
  v_portrait: ["portrait", "세로"],
  v_true: ["yes", "예"],
  v_false: ["no", "아니요"],
  v_ko: ["Korean", "한국어"],
  v_en: ["English", "영어"],
  like: ["＋ Like", "＋ 비슷하게"],
  unlike: ["− Unlike", "− 다르게"],
  why: ["Why?", "왜?"],
  more_like: ["More like {what}", "{what}와(과) 비슷하게"],
  less_like: ["Not like {what}", "{what}와(과) 다르게"],
  why_this: ["Why is {what} here?", "{what}: 왜 여기 있나요?"],
  open: ["Open {what}", "{what} 열기"],
  only_brand: ["Only {what}", "{what}만 보기"],
  board: ["Mood board", "무드보드"],
  board_words: ["Like these words", "이 말과 비슷하게"],
  board_add: ["Add", "추가"],
  board_clear: ["Clear", "비우기"],
  weight_of: ["Weight of {what}", "{what}의 가중치"],
  your_picture: ["your picture", "내 그림"],
  picture_refused: ["{what} is no picture that this browser can open.", "{what}: 이 브라우저에서 열 수 없는 그림입니다."],
  board_full: ["A board holds {count} examples.", "무드보드에는 예시를 {count}개까지 담을 수 있습니다."],
  share: ["Copy link", "링크 복사"],
  shared: ["Copied", "복사됨"],
  close: ["Close", "닫기"],
  why_title: ["Why this result", "이 결과가 나온 이유"],
  rank_of: ["Rank {rank} of {count}", "{count}개 중 {rank}위"],
  not_ranked: ["Not among the candidates", "후보에 없습니다"],
  not_admitted: ["Left out by a filter or an excluded word", "필터나 제외어에 걸렸습니다"],
  holds_phrase: ["Contains the exact phrase: it stands above all that do not.", "정확한 문구가 들어 있어, 없는 광고보다 항상 앞에 섭니다."],
  found_in: ["Words found in: {fields}", "단어가 있는 곳: {fields}"],
  list_phrase: ["Exact phrase", "정확한 문구"],
  list_lexical: ["Words", "단어"],
  list_text_to_image: ["Meaning of the picture", "그림의 의미"],
  list_copy_semantic: ["Meaning of the copy", "문구의 의미"],
  list_image_to_image: ["Likeness", "그림 유사도"],
  not_matched: ["does not match", "맞지 않음"],
  below_window: ["below its best {count}", "상위 {count}개 밖"],
  col_list: ["list", "목록"],
  col_rank: ["rank", "순위"],
  col_score: ["score", "점수"],
  col_weight: ["weight", "가중치"],
  col_believed: ["believed", "신뢰도"],
  col_gives: ["gives", "기여"],
  score_total: ["Score", "합계 점수"],
  lifted: ["raised × {lift}: some lists cannot hold it", "× {lift} 보정: 들어갈 수 없는 목록이 있음"],
  plan: ["How it was looked for", "찾은 방법"],
  otherwise: ["Its rank at other weights", "가중치를 바꾸면 순위는"],
  rank_constant: ["Rank constant k", "순위 상수 k"],
  tune_title: ["Ranking", "순위 조정"],
  tune_hint: ["What was found is fused anew as you move a slider; nothing is looked for again.", "슬라이더를 움직이면 이미 찾은 후보만 다시 합칩니다. 새로 검색하지 않습니다."],
  tune_method: ["By evidence", "근거 반영"],
  tune_method_hint: ["Weigh each list by how far it stands out from chance", "각 목록이 우연보다 얼마나 뚜렷한지에 따라 가중"],
  tune_reset: ["Back to the configured", "설정값으로 되돌리기"],
  tune_moved: ["{count} of the first {all} moved, {ms} ms", "처음 {all}개 중 {count}개 이동, {ms} ms"],
  tune_copy: ["Copy as settings", "설정으로 복사"],
  moved_up: ["up {count}", "{count}칸 위로"],
  moved_down: ["down {count}", "{count}칸 아래로"],
  newcomer: ["new on this page", "새로 등장"],
  original: ["Original picture", "원본 그림"],
  copies: ["Copies", "같은 그림"],
  copy_identical: ["identical", "완전히 같음"],
  copy_near: ["same picture", "같은 그림"],
  alike: ["Looks like it", "비슷한 그림"],
  versions: ["Versions", "버전"],
  version_now: ["now", "현재"],
  version_same: ["no field changed", "바뀐 항목 없음"],
  edit: ["Edit", "수정"],
  delete: ["Delete", "삭제"],
  delete_sure: ["Delete this ad? Searches will no longer find it.", "이 광고를 삭제할까요? 더는 검색되지 않습니다."],
  deleted: ["Deleted {what}", "{what} 삭제됨"],
  save: ["Save", "저장"],
  cancel: ["Cancel", "취소"],
  saved: ["Saved {what}", "{what} 저장됨"],
  edit_title: ["Edit ad", "광고 수정"],
  add_title: ["Add ads", "광고 추가"],
  add_hint: ["One ad a picture. What is filled in here goes to all of them.", "그림 하나에 광고 하나입니다. 아래에 적은 내용은 모두에 들어갑니다."],
  pictures: ["Pictures", "그림"],
  new_picture: ["Another picture", "다른 그림"],
  tags_hint: ["Tags, separated by commas", "태그, 쉼표로 구분"],
  further: ["Further fields, as JSON", "그 밖의 항목 (JSON)"],
  further_wrong: ["Further fields: not a JSON object", "그 밖의 항목: JSON 객체가 아닙니다"],
  uploading: ["{done} of {all} stored", "{all}개 중 {done}개 저장"],
  need_something: ["Choose a picture or write a title.", "그림을 고르거나 제목을 적어 주세요."],
  index_title: ["Index", "색인 현황"],
  s_assets: ["Ads", "광고"],
  s_pictures: ["Picture vectors", "그림 벡터"],
  s_copy: ["Copy vectors", "문구 벡터"],
  s_documents: ["Documents", "문서"],
  s_sequence: ["Last operation", "마지막 작업"],
  s_generation: ["Generation", "세대"],
  s_model: ["Model", "모델"],
  s_analyzer: ["Analyser", "분석기"],
  s_version: ["Version", "버전"],
  s_folder: ["Folder", "폴더"],
  s_writes: ["Writes", "쓰기"],
  s_readonly: ["reads only", "읽기 전용"],
  s_kind: ["Kind", "종류"],
  s_sealed: ["Sealed", "봉인됨"],
  s_tail: ["Tail, searched exactly", "꼬리 (정확 검색)"],
  s_tombstones: ["Dead, not yet removed", "삭제 표시"],
  s_inserted: ["Inserted since it was built", "구축 후 추가"],
  s_memory: ["Memory", "메모리"],
  s_disk: ["On disk", "디스크"],
  s_drift: ["Drift", "드리프트"],
  s_drift_none: ["none measured", "측정된 것 없음"],
  s_due: ["Due", "예정 작업"],
  s_calibrated: ["Calibrated at", "보정 시점 벡터 수"],
  s_service: ["Service", "서비스"],
  s_in_flight: ["Requests being worked on", "처리 중인 요청"],
  s_waiting: ["waiting: {lane}", "대기: {lane}"],
  s_failures: ["Recent errors", "최근 오류"],
  s_failures_none: ["None since this process started.", "이 프로세스가 시작된 뒤로 없습니다."],
  s_cache: ["Query cache", "질의 캐시"],
  s_cache_value: ["{hits} of {all} from the cache", "{all}건 중 {hits}건 캐시"],
  s_repaired: ["Repaired at the start", "시작할 때 복구됨"],
  s_trouble: ["Trouble", "문제"],
  s_lacking: ["Lists that are absent", "없는 목록"],
  s_yes: ["yes", "예"],
  s_when: ["when", "시각"],
  s_what: ["what", "작업"],
  s_status: ["status", "상태"],
  s_detail: ["detail", "내용"],
};

const NOTES = {
  "no asset contains the quoted phrase; these are near it": "no_phrase",
  "no good match: nothing stands out from what is found by chance": "no_match_hint",
};

const LANGUAGES = ["en", "ko"];
const KEPT = "hybrid_search.language";

function chosen() {
  const kept = localStorage.getItem(KEPT);
  if (LANGUAGES.includes(kept)) return kept;
  const known = navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase());
  return known.find((tag) => LANGUAGES.includes(tag)) ?? "en";
}

export const language = chosen();
const at = LANGUAGES.indexOf(language);

export const knows = (name) => name in WORDS;

export function t(name, values = {}) {
  return WORDS[name][at].replace(/\{(\w+)\}/g, (_, key) => values[key]);
}

// What the service remarks, in the language of the page where it is a known remark.
export const remark = (note) => (note in NOTES ? t(NOTES[note]) : note);

export const number = (value, digits = 0) =>
  value.toLocaleString(language, { minimumFractionDigits: digits, maximumFractionDigits: digits });

// A number with as many digits as it has, two at most.
export const short = (value) => value.toLocaleString(language, { maximumFractionDigits: 2 });

export function turn() {
  localStorage.setItem(KEPT, LANGUAGES[1 - at]);
  location.reload();
}

// Fill in what the markup names: text by data-t, attributes by data-t-ATTRIBUTE.
export function translate(root = document) {
  document.documentElement.lang = language;
  for (const element of root.querySelectorAll("[data-t]")) element.textContent = t(element.dataset.t);
  for (const attribute of ["placeholder", "aria-label", "title"]) {
    for (const element of root.querySelectorAll(`[data-t-${attribute}]`))
      element.setAttribute(attribute, t(element.getAttribute(`data-t-${attribute}`)));
  }
}
