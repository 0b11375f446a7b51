/* Reads everything of an image by FatFs, as a player with a small processor does. To standard output: "D PATH\n" for a
 * directory, "F LENGTH PATH\n" and the bytes for a file. Exit status 1 and a line on standard error when FatFs refuses something. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ff.h"
#include "diskio.h"

static FILE *image;

DSTATUS disk_initialize(BYTE drive) { return drive == 0 ? STA_PROTECT : STA_NOINIT; }

DSTATUS disk_status(BYTE drive) { return disk_initialize(drive); }

DRESULT disk_read(BYTE drive, BYTE *out, LBA_t sector, UINT count) {
    if (drive != 0 || fseeko(image, (off_t)sector * 512, SEEK_SET) != 0 || fread(out, 512, count, image) != count)
        return RES_ERROR;
    return RES_OK;
}

DRESULT disk_ioctl(BYTE drive, BYTE command, void *out) {
    (void)drive, (void)command, (void)out;
    return RES_PARERR;
}

static void demand(FRESULT result, const char *what, const char *path) {
    if (result != FR_OK) {
        fprintf(stderr, "FatFs: %s: %s: error %d\n", path, what, (int)result);
        exit(1);
    }
}

static void read_file(const char *path) {
    static BYTE bytes[65536];
    FIL file;
    UINT count;
    demand(f_open(&file, path, FA_READ), "f_open", path);
    printf("F %llu %s\n", (unsigned long long)f_size(&file), path);
    do {
        demand(f_read(&file, bytes, sizeof bytes, &count), "f_read", path);
        fwrite(bytes, 1, count, stdout);
    } while (count == sizeof bytes);
    demand(f_close(&file), "f_close", path);
}

/* `path` has room for a path of 65535 bytes; its first `length` name the directory. */
static void walk(char *path, size_t length) {
    DIR directory;
    FILINFO found;
    demand(f_opendir(&directory, length == 0 ? "/" : path), "f_opendir", path);
    for (;;) {
        demand(f_readdir(&directory, &found), "f_readdir", path);
        if (found.fname[0] == 0)
            break;
        size_t end = length + 1 + strlen(found.fname);
        if (end > 65535)
            exit(2);
        path[length] = '/';
        strcpy(path + length + 1, found.fname);
        if (found.fattrib & AM_DIR) {
            printf("D %s\n", path);
            walk(path, end);
        } else {
            read_file(path);
        }
        path[length] = 0;
    }
    demand(f_closedir(&directory), "f_closedir", path);
}

int main(int count, char **words) {
    static FATFS volume;
    static char path[65536];
    if (count != 2 || (image = fopen(words[1], "rb")) == NULL) {
        fprintf(stderr, "reader IMAGE\n");
        return 2;
    }
    demand(f_mount(&volume, "", 1), "f_mount", words[1]);
    if (volume.fs_type != FS_EXFAT) {
        fprintf(stderr, "FatFs: file system %d, not exFAT\n", volume.fs_type);
        return 1;
    }
    walk(path, 0);
    return fflush(stdout) == 0 ? 0 : 1;
}
