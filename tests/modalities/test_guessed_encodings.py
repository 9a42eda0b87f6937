"""The guess of an encoding: names of files, headings of tables and lines of logs, as people save them."""

import codecs

import pytest

from vssl.modalities import encodings

IN_TEXT = {
    "ja": ("cp932", "euc_jp"),
    "zh": ("gb18030",),
    "zh-hant": ("big5",),
    "ko": ("cp949",),
    "de": ("cp1252",),
    "fr": ("cp1252",),
    "pl": ("cp1250",),
    "ru": ("cp1251",),
}
IN_ZIP = {
    "ja": "cp932",
    "zh": "gb18030",
    "zh-hant": "big5",
    "ko": "cp949",
    "de": "cp437",
    "fr": "cp437",
    "ru": "cp866",
}
NAMES = {
    "ja": ["良品|不良", "キズ|打痕|正常", "外観検査_2024年|ライン1", "合格", "異物混入|塗装ムラ|バリ", "X軸|Y軸"],
    "zh": ["合格|不合格", "划痕|凹陷|正常", "检测图像_2024年|生产线1", "表面/污渍|表面/缺口", "新建文件夹 (2)"],
    "zh-hant": ["合格|不合格", "刮傷|凹陷|正常", "裂紋", "檢測圖像_2024年|生產線1", "新增資料夾 (2)"],
    "ko": ["양품|불량", "스크래치|찍힘|정상", "균열", "검사이미지_2024년|라인1", "새 폴더 (2)"],
    "de": ["größe|übermaß", "Prüfling_ö|Prüfling_ä", "beschädigt", "Gehäuse/Außenfläche|Gehäuse/Lötstelle"],
    "fr": ["défaut|bon état", "rayé|cassé", "éraflure", "côté gauche|côté droit", "arrêt", "rayé"],
    "pl": ["uszkodzony|pęknięcie", "część_1|część_2", "zdjęcia próbek", "błąd", "znajdź"],
    "ru": ["брак|норма", "ЦАРАПИНА|НОРМА", "Новая папка (2)", "годен", "поверхность/грязь|поверхность/скол"],
}
HEADINGS = {
    "ja": ["時刻,温度,圧力", "No,ﾃﾞｰﾀ,ｾﾝｻ温度", "測定日時,室温(℃),湿度(%)", "time,軸受", "年月日,流量,水位"],
    "zh": ["时间,温度,压力", "时间;电流(A);电压(V);振动", "time,轴承", "采集时刻,主轴负载,进给速度"],
    "zh-hant": ["時間,溫度,壓力", "時間;電流(A);電壓(V);振動", "time,軸承", "紀錄時間,主軸負載,進給速度"],
    "ko": ["시간,온도,압력", "시각;전류(A);전압(V);진동", "time,베어링", "수집시각,주축부하,이송속도"],
    "de": [
        "Zeit;Öldruck;Temperatur",
        "Datum;Luftdruck µbar",
        "Zeit;Fläche m²;Volumen m³",
        "Zeit;Kühlmittel °C",
        "Temp. (°C)",
        "I [µA]",
    ],
    "fr": ["temps;température;débit", "horodatage;pression d’huile;état", "heure;tension réseau;déphasage °"],
    "pl": ["czas;ciśnienie;temperatura", "data;prędkość;napięcie;prąd", "time,łożysko"],
    "ru": ["время;температура;давление", "Время замера;Температура, °C", "time,подшипник", "ДАТА;РАСХОД;УРОВЕНЬ"],
}
LOGS = {
    "ja": ["認証 失敗|認証 成功", "[警告] センサー3 応答なし", "非常停止ボタンが押されました", "電源断|電源復旧"],
    "zh": ["认证 失败|认证 成功", "[警告] 传感器3 无响应", "错误: 找不到文件", "断电|电源恢复"],
    "zh-hant": ["認證 失敗|認證 成功", "[警告] 感測器3 無回應", "錯誤: 找不到檔案", "斷電|電源恢復"],
    "ko": ["인증 실패|인증 성공", "[경고] 센서3 응답 없음", "오류: 파일을 찾을 수 없습니다", "정전|전원 복구"],
    "de": ["Gerät läuft|Öffnung geschlossen", "Temperatur überschritten: 85 °C", "Tür geöffnet"],
    "fr": ["Température élevée|Vanne fermée", "Arrêt d’urgence activé", "Pression trop élevée\u00a0: 12 bar"],
    "pl": ["Temperatura zbyt wysoka|Zawór zamknięty", "Błąd połączenia z czujnikiem", "Przekroczono próg drgań"],
    "ru": ["Температура превышена|Насос остановлен", "ЗАПУСК ЗАВЕРШЁН|АВАРИЯ", "Дверь открыта|Дверь закрыта"],
}
SAVED = [
    (text, encoding)
    for table in (NAMES, HEADINGS, LOGS)
    for language, texts in table.items()
    for encoding in IN_TEXT[language]
    for text in [*texts, "|".join(texts)]
]


@pytest.mark.parametrize(("text", "encoding"), SAVED)
def test_text_is_read_as_it_was_written_whether_there_is_much_of_it_or_a_word(text: str, encoding: str):
    data = "".join(f"2024-05-06 08:00:{row:02d},{line}\n" for row, line in enumerate(text.split("|"))).encode(encoding)
    found = encodings.detect(data)
    assert found is not None
    assert data.decode(found[0]) == data.decode(encoding)


@pytest.mark.parametrize(("text", "language"), [(text, key) for key in IN_ZIP for text in NAMES[key]])
def test_names_in_a_zip_file_are_read_as_they_were_written(text: str, language: str):
    names = [name.encode(IN_ZIP[language]) for name in text.split("|")]
    assert "|".join(name.decode(encodings.guess(names, encodings.ZIP_ENCODINGS)) for name in names) == text


@pytest.mark.parametrize("encoding", [name for _, name in encodings.BYTE_ORDER_MARKS])
@pytest.mark.parametrize("language", list(LOGS))
def test_unicode_is_known_by_its_mark_or_without_one(language: str, encoding: str):
    text = "".join(f"2024-05-06 08:00:00 {line}\r\n" for line in LOGS[language])
    start = next(start for start, name in encodings.BYTE_ORDER_MARKS if name == encoding)
    assert encodings.detect(start + text.encode(encoding)) == (encoding, len(start))
    assert encodings.detect(text.encode(encoding)) == (encoding, 0)


def test_a_few_damaged_texts_among_many_do_not_change_the_guess():
    good = [f"{row} größer".encode() for row in range(9)]
    assert encodings.guess([*good, "größer".encode("cp1252")]) == "utf-8"
    japanese = [f"{row}番の温度が高い".encode("cp932") for row in range(99)]
    assert encodings.guess([*japanese, b"\xff\xff"]) == "cp932"


@pytest.mark.parametrize("data", [b"a,\x98\x81\xff\n", codecs.BOM_UTF8[:1] + b"\x81\n"])
def test_bytes_of_no_encoding_are_not_guessed(data: bytes):
    assert encodings.detect(data) is None


def test_a_last_accented_letter_without_a_line_end_is_no_cut_utf_8():
    assert encodings.detect("path,label\na.png,rayé".encode("cp1252")) == ("cp1252", 0)
