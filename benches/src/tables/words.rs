//! The words of the tables, in Korean.

use super::Language;

/// A word of a table in the page's language.
pub(super) fn word(english: &str, language: Language) -> &str {
    let korean = || KOREAN.iter().find(|(word, _)| *word == english).map(|(_, korean)| *korean);
    match language {
        Language::English => english,
        Language::Korean => korean().unwrap_or(english),
    }
}

const KOREAN: &[(&str, &str)] = &[
    ("not measured yet", "아직 측정하지 않았습니다"),
    ("measured", "측정값"),
    ("goal", "목표"),
    ("cores", "코어"),
    ("load", "부하"),
    ("of", "/"),
    ("seeds whose final policy reaches 475", "최종 정책이 475 이상인 시드"),
    ("final mean return: least / 5th percentile / median", "최종 평균 리턴: 최소 / 5백분위 / 중앙값"),
    ("IQM of the final means, 95 % interval", "최종 평균의 IQM, 95 % 신뢰구간"),
    ("seconds of training: median / 95th percentile / greatest", "학습 시간(초): 중앙값 / 95백분위 / 최대"),
    ("env steps: median / greatest", "환경 스텝: 중앙값 / 최대"),
    (
        "evaluations that reach 475 after a seed's first that does",
        "처음 475에 도달한 뒤의 평가 중 475 이상인 비율",
    ),
    ("seeds of which 95 % of these do", "그 비율이 95 % 이상인 시드"),
    ("seeds", "시드"),
    ("preset", "프리셋"),
    ("env steps", "환경 스텝"),
    ("gradient steps", "경사 스텝"),
    ("seconds", "초"),
    ("env steps/s", "환경 스텝/초"),
    ("deepq", "deepq"),
    ("published", "발표된 값"),
    ("PyTorch, re-implemented", "PyTorch 재구현"),
    ("Stable-Baselines3", "Stable-Baselines3"),
    (
        "training return, last 100 episodes, mean ± std over seeds",
        "마지막 100 에피소드의 학습 리턴, 시드 평균 ± 표준편차",
    ),
    ("median of the final means", "최종 평균의 중앙값"),
    ("IQM of the final means", "최종 평균의 IQM"),
    ("least final mean", "가장 낮은 최종 평균"),
    ("seconds of training, median", "학습 시간(초), 중앙값"),
    ("what is changed", "바꾼 것"),
    ("final median", "최종 중앙값"),
    ("final IQM (95 % interval)", "최종 IQM (95 % 신뢰구간)"),
    ("seeds ≥ 475", "475 이상인 시드"),
    ("evaluations ≥ 475 after the first", "첫 도달 이후 475 이상인 평가"),
    ("as written", "문서 그대로"),
    ("truncation bootstraps", "시간 제한에서 부트스트랩"),
    ("loss on the action taken only", "실행한 행동에만 손실"),
    ("one gradient step of 64", "64개로 경사 스텝 한 번"),
    ("ε per env step, 1 to 0.01 over 10,000", "ε를 환경 스텝마다, 10,000스텝에 걸쳐 1에서 0.01로"),
    ("Huber loss", "Huber 손실"),
    ("Double Q-learning", "Double Q-러닝"),
    ("observations scaled", "관측값 크기 맞추기"),
    ("target every 500 env steps", "타겟을 환경 스텝 500마다"),
    ("10-step returns", "10-스텝 리턴"),
    ("Polyak target, τ 0.01", "Polyak 타겟, τ 0.01"),
    ("the small faults together, target as written", "작은 결함 모두 고침, 타겟은 문서 그대로"),
    (
        "Polyak target, 10-step returns, truncation, target network judged",
        "Polyak 타겟, 10-스텝 리턴, 시간 제한 부트스트랩, 타겟 네트워크로 평가",
    ),
    ("the preset tutorial-fixed", "프리셋 tutorial-fixed"),
    (
        "one env step, whole process: median / greatest, ms",
        "환경 스텝 하나, 프로세스 전체: 중앙값 / 최대, ms",
    ),
    ("peak memory while training, MiB", "학습 중 최대 메모리, MiB"),
    ("peak memory with five videos and the report, MiB", "비디오 5개와 보고서 포함 최대 메모리, MiB"),
    ("what", "항목"),
    ("`default`: seeds whose final policy reaches 475", "`default`: 최종 정책이 475 이상인 시드"),
    (
        "`default`: seconds until solved, median / 95th percentile",
        "`default`: 해결까지 초, 중앙값 / 95백분위",
    ),
    ("`default-fixed`: evaluations ≥ 475 after the first", "`default-fixed`: 첫 도달 이후 475 이상인 평가"),
    ("`tutorial`: env steps/s", "`tutorial`: 환경 스텝/초"),
    ("`cleanrl-dqn`: seconds for 500,000 env steps", "`cleanrl-dqn`: 환경 스텝 500,000의 초"),
    ("`cleanrl-dqn`: last 100 training returns", "`cleanrl-dqn`: 마지막 100 학습 리턴"),
    ("`sb3-dqn`: seeds whose final policy reaches 475", "`sb3-dqn`: 최종 정책이 475 이상인 시드"),
    ("`sb3-dqn`: env steps/s", "`sb3-dqn`: 환경 스텝/초"),
    ("program start, one env step, exit: ms", "프로그램 시작, 환경 스텝 하나, 종료: ms"),
    ("open goal", "남은 목표"),
    ("at least SB3's {}", "SB3의 {} 이상"),
    ("network", "네트워크"),
    ("batch", "배치"),
    ("instruction set", "명령어 집합"),
    ("threads", "스레드"),
    ("µs: median / least", "µs: 중앙값 / 최소"),
    ("of its peak", "자체 최고치 대비"),
    ("of the best peak", "최고 명령어 집합의 최고치 대비"),
    ("of the core's peak", "코어 최고치 대비"),
    ("reached", "달성"),
    ("yes", "예"),
    ("no", "아니요"),
    ("not available", "없음"),
    ("Measured peak of one core", "측정한 코어 하나의 최고치"),
    ("sample and gather", "샘플링과 수집"),
    ("target forward", "타겟 순전파"),
    ("online forward", "온라인 순전파"),
    ("loss", "손실"),
    ("backward", "역전파"),
    ("optimiser", "최적화기"),
    ("rest", "나머지"),
    ("PyTorch / deepq", "PyTorch / deepq"),
    ("best JAX / deepq", "가장 빠른 JAX / deepq"),
    ("Versions", "버전"),
    ("µs a gradient step, one core", "경사 스텝 하나의 µs, 코어 하나"),
    ("environment", "환경"),
    ("MinAtar's own interface, ns", "MinAtar 자체 인터페이스, ns"),
    ("Gymnasium / deepq", "Gymnasium / deepq"),
    ("in {} threads, ns", "스레드 {}개, ns"),
    ("Not measured", "측정하지 못한 것"),
    ("mean ± std over seeds", "시드 평균 ± 표준편차"),
    ("IQM, 95 % interval", "IQM, 95 % 신뢰구간"),
    ("to be compared with", "비교 대상"),
    ("found", "결과"),
    ("Gymnasium's threshold", "Gymnasium의 기준값"),
    ("the best there is", "가능한 최댓값"),
    ("below the interval", "구간 아래"),
    ("within the interval", "구간 안"),
    ("above the interval", "구간 위"),
    ("CleanRL, 3 seeds", "CleanRL, 시드 3개"),
    ("rl-zoo3, 1 seed", "rl-zoo3, 시드 1개"),
    ("SB3-contrib, several seeds", "SB3-contrib, 시드 여러 개"),
    ("rl-zoo3, 1 seed, v2", "rl-zoo3, 시드 1개, v2"),
    ("SB3-contrib, several seeds, v2", "SB3-contrib, 시드 여러 개, v2"),
    ("Young & Tian, 30 seeds", "Young & Tian, 시드 30개"),
    (
        "CleanRL: returns of the last 100 episodes while training",
        "CleanRL: 학습 중 마지막 100 에피소드의 리턴",
    ),
    (
        "Stable-Baselines3: returns of the greedy policy in episodes of their own",
        "Stable-Baselines3: 따로 둔 에피소드에서 탐욕 정책의 리턴",
    ),
    (
        "Young & Tian (2019): returns while training, read off plots",
        "Young & Tian (2019): 그래프에서 읽은 학습 중의 리턴",
    ),
    ("recipe", "알고리즘"),
    ("where nothing else is said, at most", "따로 적지 않았다면, 최대"),
    ("no number", "수가 아님"),
    ("last", "마지막"),
    ("earlier settings", "이전 설정"),
    ("1 seed", "시드 1개"),
    ("{} seeds", "시드 {}개"),
    ("{} env steps", "{} 환경 스텝"),
    ("{} frames", "{} 프레임"),
    ("deepq, the same recipe", "deepq의 같은 알고리즘"),
    ("deepq's best recipe", "deepq에서 가장 좋은 알고리즘"),
    ("better", "더 좋음"),
    ("within", "구간 안"),
    ("below", "못 미침"),
    ("ended early", "일찍 끝남"),
    ("published 488.69 ± 16.11", "발표된 값 488.69 ± 16.11"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_that_the_tables_ask_for_is_translated() {
        let of = |source: &str, marker: &str| -> Vec<String> {
            let one_line = source.split_whitespace().collect::<Vec<_>>().join(" ").replace("( \"", "(\"");
            let after = one_line.split(marker).skip(1);
            after.filter_map(|after| after.split('"').next().map(str::to_owned)).collect()
        };
        let variants = include_str!("../faults.rs").split("const TRUNCATION").next().unwrap_or_default();
        let asked = [
            of(include_str!("render.rs"), "word(\""),
            of(include_str!("steps.rs"), "word(\""),
            of(include_str!("envs.rs"), "word(\""),
            of(include_str!("presets.rs"), "word(\""),
            of(include_str!("family.rs"), "word(\""),
            of(include_str!("published.rs"), "word(\""),
            of(include_str!("../presets/published.rs"), " name: \""),
            of(include_str!("../presets/published.rs"), " heading: \""),
            of(variants, "(\""),
        ]
        .concat();
        assert!(asked.len() > 40, "{asked:?}");
        let missing: Vec<&String> = asked
            .iter()
            .filter(|asked| !KOREAN.iter().any(|(english, _)| *english == asked.as_str()))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }
}
