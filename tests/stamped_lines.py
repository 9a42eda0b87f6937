"""Time stamps as logs write them: for each format that is recognised, templates that `written` fills in."""

from __future__ import annotations

from datetime import datetime

WRITTEN = {
    "iso": [
        "{:%Y-%m-%d %H:%M:%S}", "{:%Y-%m-%dT%H:%M:%S.%f}", "{:%Y-%m-%dT%H:%M:%SZ}", "{:%Y/%m/%d %H:%M:%S}",
        "{:%Y.%m.%d %H:%M:%S}", "[{:%Y-%m-%d %H:%M:%S}]", "{:%Y-%m-%d %H:%M:%S},", "time=\"{:%Y-%m-%dT%H:%M:%SZ}\"",
        "INFO {:%Y-%m-%d %H:%M:%S}", "\x1b[32m{:%Y-%m-%d %H:%M:%S}\x1b[0m", "host-7 [worker 3] {:%Y-%m-%d %H:%M:%S}",
        "{:%Y-%m-%d,%H:%M:%S},", "\"{:%Y-%m-%d\";\"%H:%M:%S}\";", "{:%Y-%m-%d - %H:%M:%S}", "{:%Y/%m/%d(木) %H:%M:%S}",
        "{:%Y-%m-%d %H:%M:%S}:125", "{:%Y:%m:%d %H:%M:%S}", "<134>1 {:%Y-%m-%dT%H:%M:%SZ}", "{:%Y-%m-%d %H:%M:%S} UTC",
    ],
    "kanji": ["{:%Y年%m月%d日 %H:%M:%S}", "[{:%Y年%m月%d日(木) %H時%M分%S秒}]"],
    "dotted": ["- {:%Y-%m-%d-%H.%M.%S.%f}"],
    "access": [
        "10.0.0.1 - - [{:%d/%b/%Y:%H:%M:%S} +0000]", "{:%d-%b-%Y %H:%M:%S.%f}", "{:%a, %d %b %Y %H:%M:%S} GMT",
    ],
    "ctime": ["[{:%a %b %d %H:%M:%S %Y}]", "{:%a %b %d %H:%M:%S.%f %Y}", "{0:%a %b %d %H:%M:%S} GMT+00:00 {0:%Y}"],
    "syslog year": ["{:%b %d %Y %H:%M:%S}:", "{:%B %d, %Y %I:%M:%S %p}"],
    "health": ["{0:%Y%m%d}-{0.hour}:{0.minute}:{0.second}:{ms}|"],
    "compact": ["{:%Y%m%d %H:%M:%S}", "{:%Y%m%dT%H%M%SZ}"],
    "digits": ["{:%Y%m%d%H%M%S}", "{:%Y%m%d%H%M%S}125"],
    "dmy": ["Do {:%d.%m.%Y %H:%M:%S}", "{:%d.%m.%Y %H:%M:%S}", "{:%d/%m/%Y %H:%M:%S}", "{:%d-%m-%Y %H:%M:%S,%f}"],
    "mdy": ["{:%m/%d/%Y, %I:%M:%S %p}", "{:%m/%d/%Y %I:%M:%S %p}"],
    "yy md": ["{:%y/%m/%d %H:%M:%S}"],
    "dm yy": ["{:%d.%m.%y %H:%M:%S}"],
    "hdfs": ["{:%y%m%d %H%M%S}", "{:%y%m%d %H:%M:%S}"],
    "syslog": ["{:%b %d %H:%M:%S}", "<34>{:%b %d %H:%M:%S}", "{:%a %b %d %H:%M:%S}"],
    "android": ["{:%m-%d %H:%M:%S.%f}"],
    "glog": ["I{:%m%d %H:%M:%S.%f}"],
    "epoch": ["{s}", "{s}.125", "ts={s}"],
    "epoch ms": ["{s}125"],
    "epoch us": ["{s}125000"],
    "epoch ns": ["[{s}125000000]"],
}  # fmt: skip


def written(form: str, moment: datetime) -> str:
    return form.format(moment, s=int(moment.timestamp()), ms=moment.microsecond // 1000)
