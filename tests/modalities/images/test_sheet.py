import numpy as np
import torch

from vssl.modalities.images.contact_sheet import CAPTION_PX, contact_sheet


def test_images_and_views_stand_side_by_side_in_their_own_colours() -> None:
    pixels = torch.zeros(2, 3, 8, 8, dtype=torch.uint8)
    pixels[:, 0] = 200
    green = torch.zeros(2, 3, 8, 8)
    green[:, 1] = 1
    sheet = np.asarray(contact_sheet(pixels, [[green, green], [green]]))
    line = sheet[CAPTION_PX + 40]
    assert (line == (200, 0, 0)).all(axis=1).sum() == 96
    assert (line == (0, 255, 0)).all(axis=1).sum() == 3 * 96


def test_rows_are_images_and_enlarging_keeps_hard_edges() -> None:
    pixels = torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1).expand(2, 1, 48, 24).contiguous()
    pixels[0, 0, 0, 0] = 100
    sheet = np.asarray(contact_sheet(pixels, []))
    assert (sheet == 100).all(axis=2).sum() == 2 * 2
    assert (sheet == 0).all(axis=2).sum() == 96 * 48 - 4


def test_large_images_are_not_enlarged() -> None:
    sheet = contact_sheet(torch.zeros(1, 3, 200, 300, dtype=torch.uint8), [])
    assert 200 < sheet.height < 240
    assert 300 < sheet.width < 320
